import NIOCore

extension EngineCore {
    /// Tells the pool what happened and performs what it decides.
    func tellPool(_ event: PoolEvent) {
        perform(pool.handle(event, now: poolNow))
    }

    /// Performs the pool's decisions.
    func perform(_ actions: [PoolAction]) {
        for action in actions {
            switch action {
            case .start(let id, let sandboxClass):
                ordered.insert(id)
                spawn { await $0.startSandbox(id, sandboxClass) }
            case .specialise(let id, let specialisation):
                spawn { await $0.specialise(id, for: specialisation) }
            case .grant(let request, let id, let start, let slot):
                granted(request, id, start, slot: slot)
            case .pause(let id): spawn { await $0.pause(id) }
            case .resume(let id): spawn { await $0.resume(id) }
            case .destroy(let id, let reason):
                destroySandbox(id, reason: reason.rawValue)
            case .reject(let request, let code, let message):
                rejected(request, code, message)
            case .wake(let at):
                wakePool(at: at)
            }
        }
    }

    private func wakePool(at time: Double) {
        guard time < poolTimerAt || poolTimer == nil, !isStopped else { return }
        poolTimer?.cancel()
        poolTimerAt = time
        let delay = max(0, time - poolNow)
        poolTimer = loop.scheduleTask(in: .nanoseconds(Int64(min(delay, 86_400) * 1e9) + 1_000_000)) {
            self.assumeIsolated { core in
                core.poolTimer = nil
                core.poolTimerAt = .infinity
                core.tellPool(.tick)
            }
        }
    }

    private func granted(_ request: RequestID, _ id: SandboxID, _ start: Job.Start, slot: Int) {
        guard let job = requests.removeValue(forKey: request), let sandbox = sandboxes[id], job.phase == .waiting
        else {
            tellPool(.released(id, slot: slot, clean: true, reason: "its job was gone"))
            return
        }
        job.request = nil
        job.slot = slot
        dispatch(job, to: sandbox, start: start)
    }

    private func rejected(_ request: RequestID, _ code: EngineError.Code, _ message: String) {
        guard let job = requests.removeValue(forKey: request) else { return }
        job.request = nil
        // A job that waits when the engine stops stays queued: the next start takes it up.
        guard code != .draining, !isDraining else { return }
        // The tenant `default` is the operator's own.
        let words = job.job.tenant == .default ? failureWords.restored(message) : message
        fail(job, JobError(kind: code == .dependency ? .dependency : .startFailed, message: words))
    }
}
