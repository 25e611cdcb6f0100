extension EngineCore {
    /// Refuses a network mode that cannot be had here, with the reason.
    func checkNetwork(of request: JobRequest, _ runtimeName: String) throws {
        guard let runtime = runtimes[runtimeName] else { return }
        let mode = request.network ?? configuration.sandbox.network.rawValue
        guard let reason = runtime.refusal(ofNetwork: mode) else { return }
        let message = "The network mode \(mode) cannot be had here: \(reason)"
        throw EngineError(
            .notAllowed, message, faults: [.init(pointer: "/network", code: "not-allowed", detail: message)])
    }

    /// Opens the way to the host's ports for a sandbox of that network mode.
    func openRelay(of sandbox: Sandbox) async throws {
        guard sandbox.sandboxClass.network == Configuration.Sandbox.NetworkMode.hostGateway.rawValue else { return }
        let relay = HostRelay(
            path: sandbox.folder + "/r", ports: configuration.network.hostPorts,
            limit: configuration.network.hostConnections, logger: logger)
        sandbox.relay = relay
        try await relay.listen()
    }

    /// Finds where the folders that a job mounts really lie, off the loop: a network file system may take its time.
    func resolveMounts(of request: JobRequest, _ runtimeName: String) async throws -> [JobRequest.Mount] {
        guard let runtime = runtimes[runtimeName], !request.mounts.isEmpty else { return request.mounts }
        return try await offload.runIfActive {
            try request.mounts.enumerated().map { place, mount in
                do {
                    return try runtime.resolve(mount: mount)
                } catch let error as EngineError where error.code == .notAllowed {
                    let fault = EngineError.Fault(
                        pointer: "/mounts/\(place)/source", code: "not-allowed", detail: error.message)
                    throw EngineError(.notAllowed, error.message, faults: [fault])
                }
            }
        }
    }
}
