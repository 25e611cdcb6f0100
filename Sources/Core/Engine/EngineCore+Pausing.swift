import NIOCore

extension EngineCore {
    /// Has a free sandbox frozen; it says nothing from then on, and nobody expects it to.
    func pause(_ id: SandboxID) async {
        guard let sandbox = sandboxes[id] else { return }
        sandbox.isAsleep = true
        sandbox.naps += 1
        await change(sandbox, as: "paused", then: .paused(id)) { try await $0.pause($1) }
    }

    /// Has a frozen sandbox thawed.
    func resume(_ id: SandboxID) async {
        guard let sandbox = sandboxes[id] else { return }
        await change(sandbox, as: "resumed", then: .resumed(id)) { try await $0.resume($1) }
    }

    private func change(
        _ sandbox: Sandbox, as name: String, then event: PoolEvent,
        _ body: @Sendable (any SandboxRuntime, SandboxHandle) async throws -> Void
    ) async {
        let id = sandbox.id
        guard let handle = sandbox.handle, let runtime = runtimes[sandbox.sandboxClass.runtime] else { return }
        do {
            try await body(runtime, handle)
        } catch {
            guard !sandbox.isClosing else { return }
            let reason = (error as? EngineError)?.message ?? "\(error)"
            logger.warning(
                "a sandbox could not be \(name)", metadata: ["sandbox": "\(id)", "reason": "\(reason)"])
            tellPool(.pausingFailed(id, reason: reason))
            return
        }
        guard sandboxes[id] === sandbox, !sandbox.isClosing else { return }
        if case .resumed = event {
            sandbox.isAsleep = false
            sandbox.naps += 1
            sandbox.lastHeard = .now()
        }
        tellPool(event)
    }
}
