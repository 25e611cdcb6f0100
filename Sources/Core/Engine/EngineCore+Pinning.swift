import NIOCore

/// A task that keeps processors busy has its sandbox kept to as many of them as it may use, so that a neighbour's short
/// task finds another one free: spread over all of them it would wait for the scheduler at each step.
extension EngineCore {
    /// The part of its processors that a sandbox has to use to count as busy.
    private static let busyShare = 0.5
    /// Shorter tasks are nobody's burden.
    private static let longSeconds = 0.05
    /// How long a sandbox has to run nothing but short tasks until it may use all processors again.
    private static let calm = TimeAmount.seconds(10)

    /// Takes what a supervisor tells of a task that goes on for a while: how many processors were in use.
    func noteLoad(_ load: Double, of sandbox: Sandbox) {
        guard load >= sandbox.sandboxClass.cpus * Self.busyShare else { return }
        sandbox.lastBusy = .now()
        pin(sandbox)
    }

    /// Takes what the end of a task tells of it.
    func noteEnd(_ result: RunnerMessage.Result, in sandbox: Sandbox) {
        if let ran = result.runSeconds, let used = result.cpuSeconds, ran >= Self.longSeconds {
            noteLoad(used / ran, of: sandbox)
        } else if sandbox.pinned != nil, NIODeadline.now() - sandbox.lastBusy > Self.calm {
            unpin(sandbox)
        }
    }

    /// Takes over a sandbox that an earlier process kept to some processors: it may use all again when it is calm.
    func noteKept(_ sandbox: Sandbox) {
        if Self.canBePinned(sandbox.sandboxClass) { sandbox.pinned = sandbox.hello?.kept }
    }

    private static func canBePinned(_ kind: SandboxClass) -> Bool {
        // Changing the limits of a container can take its devices away (systemd writes their rules anew).
        kind.gpus == nil && kind.runtime != SandboxClass.processRuntime
    }

    private func pin(_ sandbox: Sandbox) {
        let kind = sandbox.sandboxClass
        guard configuration.sandbox.pinBusy, sandbox.pinned == nil, sandbox.mayBePinned, Self.canBePinned(kind),
            let all = sandbox.hello?.processors,
            let some = all.leastTaken(
                Int(kind.cpus.rounded(.up)), beside: sandboxes.values.compactMap(\.pinned))
        else { return }
        sandbox.pinned = some
        keep(sandbox, to: some, otherwise: nil)
    }

    private func unpin(_ sandbox: Sandbox) {
        guard sandbox.mayBePinned, let pinned = sandbox.pinned, let all = sandbox.hello?.processors else { return }
        sandbox.pinned = nil
        keep(sandbox, to: all, otherwise: pinned)
    }

    private func keep(_ sandbox: Sandbox, to processors: ProcessorList, otherwise before: ProcessorList?) {
        guard let handle = sandbox.handle, let runtime = runtimes[sandbox.sandboxClass.runtime] else { return }
        // One change at a time; one that was refused is not tried again.
        sandbox.mayBePinned = false
        let id = sandbox.id
        spawn { core in
            do {
                try await runtime.keep(handle, to: processors)
                core.sandboxes[id]?.mayBePinned = true
                core.logger.debug(
                    "a sandbox may use other processors",
                    metadata: ["sandbox": "\(id)", "processors": "\(processors.text)"])
            } catch {
                guard let sandbox = core.sandboxes[id], !sandbox.isClosing else { return }
                sandbox.pinned = before
                core.logger.warning(
                    "a busy sandbox could not be kept to some processors (sandbox.pin_busy)",
                    metadata: [
                        "sandbox": "\(id)", "reason": "\((error as? EngineError)?.message ?? "\(error)")",
                    ])
            }
        }
    }
}
