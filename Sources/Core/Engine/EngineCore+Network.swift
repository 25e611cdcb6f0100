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
}
