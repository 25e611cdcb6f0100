extension DockerEnvironmentBuilder {
    /// The value of `environments.network` that means the networks of the mode `egress`.
    package static let egress = Configuration.Sandbox.NetworkMode.egress.rawValue

    /// Holds the network of a builder that is about to be made, and connects it; nil where it is one of the engine's own.
    func join(_ container: inout ContainerSpec, of tenant: TenantID) async throws -> EgressNetworks.Network? {
        guard container.networkMode == Self.egress else { return nil }
        guard let networks else {
            throw EngineError(.notSupported, "environments.network: egress is not set up on this container engine")
        }
        let network = try await networks.acquire(tenant: tenant.description)
        container.networkMode = network.id
        container.nameServers = options.nameServers
        return network
    }

    /// Verifies that a builder that runs is closed in as its network promises.
    func verify(_ network: EgressNetworks.Network?, of name: String) async throws {
        guard let network, let networks, let processID = try await processID(of: name) else { return }
        do {
            try await networks.verify(network, processID: processID)
        } catch {
            // What has ended meanwhile tells nothing.
            guard try await self.processID(of: name) == processID else { return }
            throw error
        }
    }

    /// Gives up the hold of a builder that runs, or does not start any more.
    func leave(_ network: EgressNetworks.Network?) async {
        if let network { await networks?.release(tenant: network.tenant) }
    }

    private func processID(of name: String) async throws -> Int32? {
        guard let id = try await client.inspectContainer(name)?.state.processID, id > 0 else { return nil }
        return id
    }
}
