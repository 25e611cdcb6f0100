extension DockerRuntime {
    private typealias Mode = Configuration.Sandbox.NetworkMode

    package func refusal(ofNetwork mode: String) -> String? {
        if mode == Mode.hostGateway.rawValue {
            if options.hostPorts.isEmpty { return "network.host_ports names no port" }
            let isNear = transport == .unix && options.sharesFolders
            return isNear ? nil : "the container engine is on another machine, or docker.transport is attach"
        }
        guard mode == Mode.egress.rawValue else { return nil }
        guard let networks, options.offersEgress else { return "it is not in network.allow" }
        return networks.fault
    }

    package func prepare() async { await networks?.prepare() }

    package func maintain() async {
        await tellOfHoles()
        await networks?.maintain()
    }

    package func close() async { await networks?.close() }

    /// Holds the network of a sandbox that is about to be made; nil where its mode needs none.
    func joinNetwork(_ kind: SandboxClass) async throws -> EgressNetworks.Network? {
        guard kind.network == Mode.egress.rawValue else { return nil }
        guard let networks, let tenant = kind.tenant else {
            throw EngineError(.startFailed, "the network mode egress is not set up: add it to network.allow")
        }
        return try await networks.acquire(tenant: tenant)
    }

    /// Sets what a container is connected to.
    func connect(_ spec: inout ContainerSpec, _ kind: SandboxClass, _ network: EgressNetworks.Network?) {
        if let network {
            spec.networkMode = network.id
            spec.nameServers = options.nameServers
        } else if kind.network == Mode.hostGateway.rawValue {
            // The supervisor carries the connections: there is still no network.
            spec.networkMode = Mode.none.rawValue
            spec.extraHosts = ["host.docker.internal:127.0.0.1"]
        } else {
            spec.networkMode = kind.network
        }
    }

    /// What the supervisor of a sandbox carries to the host.
    func relay(of kind: SandboxClass, socket: String) -> SupervisorArguments.Relay? {
        guard kind.network == Mode.hostGateway.rawValue else { return nil }
        return SupervisorArguments.Relay(socket: socket, ports: options.hostPorts, limit: options.hostConnections)
    }

    /// Verifies that a sandbox that runs is closed in as its network promises.
    func entered(_ network: EgressNetworks.Network?, _ processID: Int32) async throws {
        guard let network, let networks else { return }
        try await networks.verify(network, processID: processID)
        await networks.release(tenant: network.tenant)
    }

    /// Gives up the hold of a sandbox that did not start.
    func leave(_ network: EgressNetworks.Network?) async {
        if let network { await networks?.release(tenant: network.tenant) }
    }
}
