import NIOCore

extension EngineCore {
    /// So many modules that could not be imported are told to a job.
    private static let preloadErrorsMax = 20

    /// Has a sandbox import its class's modules while it belongs to nobody.
    ///
    /// What fails here may lie in an environment: it is tried again when the sandbox has a tenant.
    func preloadAhead(_ sandbox: Sandbox) async throws {
        let modules = sandbox.sandboxClass.preload
        guard !modules.isEmpty else { return }
        let ready = try await configure(
            sandbox,
            .init(
                key: TaskReference.makeNonce(), groupID: nil, preload: modules,
                env: gpuEnvironment(of: sandbox.sandboxClass), isAhead: true))
        preloadFaults[sandbox.sandboxClass] = ready.preloadErrors.isEmpty ? nil : ready.preloadErrors
        for failure in ready.preloadErrors {
            logger.warning(
                "a module of a pool could not be imported ahead",
                metadata: [
                    "pool": "\(sandbox.sandboxClass.pool ?? "")", "module": "\(failure.module)",
                    "reason": "\(failure.message)",
                ])
        }
    }

    /// Sends CONFIGURE and waits for READY.
    func configure(
        _ sandbox: Sandbox, _ wanted: RunnerCommand.Configuration
    ) async throws -> RunnerMessage.Ready {
        let signal = Signal<RunnerMessage.Ready>()
        sandbox.readySignal = (wanted.key, signal)
        guard sandbox.send(.configure(wanted)) else {
            throw EngineError(.lost, "the sandbox's connection is lost")
        }
        guard let ready = try await signal.wait(upTo: configuration.runner.configureTimeout, on: loop) else {
            throw EngineError(
                .startFailed,
                "the sandbox was not prepared within \(configuration.runner.configureTimeout); fewer preloaded "
                    + "modules, or a longer runner.configure_timeout, may help")
        }
        return ready
    }

    /// Tells a job which modules were to be imported ahead and are not: it pays for the import, or fails at it.
    func tellPreloadErrors(of sandbox: Sandbox, to job: ActiveJob) {
        for failure in sandbox.preloadErrors.prefix(Self.preloadErrorsMax) {
            job.emit(
                .emitted(
                    type: "preload_error",
                    members: [
                        ("message", JSONValue.string(failure.message).serialized()),
                        ("module", JSONValue.string(failure.module).serialized()),
                    ]))
        }
    }
}
