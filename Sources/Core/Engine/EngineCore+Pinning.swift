import NIOCore

/// A task that keeps processors busy has its sandbox kept to as many of them as it may use, so that a neighbour's short
/// task finds another one free: spread over all of them it would wait for the scheduler at each step.
extension EngineCore {
    /// The part of its processors that a sandbox has to use to count as busy.
    private static let busyShare = 0.5
    /// Shorter tasks are nobody's burden.
    private static let longSeconds = 0.05
    /// How long no task of a sandbox may have kept processors busy until it may use all again.
    private static let calm = TimeAmount.seconds(10)

    /// The least seconds between two moves of busy sandboxes to other processors.
    private static let moveSeconds = 5.0

    /// Takes what a supervisor tells of a task that goes on for a while: how many processors were in use.
    func noteLoad(_ load: Double, of sandbox: Sandbox) {
        guard load >= sandbox.sandboxClass.cpus * Self.busyShare else { return noteCalm(sandbox) }
        sandbox.lastBusy = .now()
        pin(sandbox)
    }

    /// Takes what the end of a task tells of it.
    func noteEnd(_ result: RunnerMessage.Result, in sandbox: Sandbox) {
        if let ran = result.runSeconds, let used = result.cpuSeconds, ran >= Self.longSeconds {
            noteLoad(used / ran, of: sandbox)
        } else {
            noteCalm(sandbox)
        }
    }

    /// Takes over a sandbox that an earlier process kept to some processors: it may use all again when it is calm.
    func noteKept(_ sandbox: Sandbox) {
        if Self.canBePinned(sandbox.sandboxClass) { sandbox.pin = ProcessorPin(kept: sandbox.hello?.kept) }
    }

    /// Lets idle sandboxes use all processors again once they are calm, tries changes again that failed, gives sandboxes
    /// up that stay confined, and moves one that shares its processors while others are free.
    func checkPins() {
        for sandbox in Array(sandboxes.values) where !sandbox.isClosing {
            // Of one in which nothing runs no message tells that it is calm.
            if !sandbox.isBusy { noteCalm(sandbox) }
            if sandbox.pin.isWorn { giveUpConfined(sandbox) } else { changePin(of: sandbox) }
        }
        moveCrowded()
    }

    private static func canBePinned(_ kind: SandboxClass) -> Bool {
        // Changing the limits of a container can take its devices away (systemd writes their rules anew).
        kind.gpus == nil && kind.runtime != SandboxClass.processRuntime
    }

    private func isCalm(_ sandbox: Sandbox) -> Bool { NIODeadline.now() - sandbox.lastBusy > Self.calm }

    private func noteCalm(_ sandbox: Sandbox) {
        guard sandbox.pin.wanted != nil, isCalm(sandbox) else { return }
        sandbox.pin.free()
        changePin(of: sandbox)
    }

    private func pin(_ sandbox: Sandbox) {
        let kind = sandbox.sandboxClass
        guard configuration.sandbox.pinBusy, sandbox.pin.wanted == nil, sandbox.pin.mayTry, Self.canBePinned(kind),
            let all = sandbox.hello?.processors,
            let some = all.leastTaken(Int(kind.cpus.rounded(.up)), beside: places(besides: sandbox))
        else { return }
        sandbox.pin.keep(to: some)
        changePin(of: sandbox)
    }

    /// What other sandboxes are kept to in which a task runs: an idle one takes no processor from anybody.
    private func places(besides sandbox: Sandbox) -> [ProcessorList] {
        sandboxes.values.compactMap { other in
            other === sandbox || !other.isBusy || other.isClosing ? nil : other.pin.place
        }
    }

    /// Moves one busy sandbox to processors that fewer others are kept to.
    private func moveCrowded() {
        guard configuration.sandbox.pinBusy, poolNow >= nextPinMove else { return }
        for sandbox in sandboxes.values where sandbox.isBusy && !sandbox.isClosing && !isCalm(sandbox) {
            guard sandbox.pin.isSettled, let all = sandbox.hello?.processors, let place = sandbox.pin.place,
                let better = all.lessTaken(than: place, beside: places(besides: sandbox))
            else { continue }
            nextPinMove = poolNow + Self.moveSeconds
            sandbox.pin.keep(to: better)
            return changePin(of: sandbox)
        }
    }

    /// Gives up a sandbox that would stay kept to some processors; false, and nothing, while a task runs in it.
    @discardableResult
    func giveUpConfined(_ sandbox: Sandbox) -> Bool {
        guard sandbox.preparing == nil, sandbox.slots.allSatisfy({ $0.job == nil && $0.cleaning == nil })
        else { return false }
        logger.warning(
            "a sandbox that could not be let use all its processors again is given up",
            metadata: ["sandbox": "\(sandbox.id)"])
        lose(sandbox, reason: "it could not be let use all its processors again")
        return true
    }

    /// Asks the runtime for the change of a sandbox that is due, if one is.
    private func changePin(of sandbox: Sandbox) {
        guard !sandbox.isAsleep, let handle = sandbox.handle, let runtime = runtimes[sandbox.sandboxClass.runtime],
            let all = sandbox.hello?.processors, let change = sandbox.pin.nextChange(at: poolNow)
        else { return }
        let processors =
            switch change {
            case .keep(let some): some
            case .free: all
            }
        let id = sandbox.id
        spawn { core in
            do {
                try await runtime.keep(handle, to: processors)
                core.sandboxes[id]?.pin.succeeded()
                core.logger.debug(
                    "a sandbox may use other processors",
                    metadata: ["sandbox": "\(id)", "processors": "\(processors.text)"])
            } catch {
                core.pinFailed(of: id, error)
            }
        }
    }

    private func pinFailed(of id: SandboxID, _ error: any Error) {
        guard let sandbox = sandboxes[id], !sandbox.isClosing else { return }
        let failure = error as? EngineError
        let isRefused = failure?.dockerStatus != nil || failure?.code == .notSupported
        sandbox.pin.failed(isRefused: isRefused, at: poolNow)
        // Once of a row: the tries after it tell nothing new.
        guard sandbox.pin.failures == 1 else { return }
        logger.warning(
            "the processors of a busy sandbox could not be changed (sandbox.pin_busy)",
            metadata: ["sandbox": "\(id)", "reason": "\(failure?.message ?? "\(error)")"])
    }
}
