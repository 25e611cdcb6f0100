import Foundation
import NIOCore

extension EngineCore {
    /// Cancels a job: at once while it waits, by the runner while it runs.
    ///
    /// - Returns: The job, and whether it had been cancelled before.
    /// - Throws: `.alreadyTerminal` when it has completed or failed.
    package func cancel(_ id: JobID, tenant: TenantID) async throws -> (job: Job, alreadyCancelled: Bool) {
        guard let job = jobs[id], job.job.tenant == tenant else {
            let job = try await self.job(id, tenant: tenant)
            guard job.state == .cancelled else {
                throw EngineError(.alreadyTerminal, "the job has ended already, in state \(job.state.rawValue)")
            }
            return (job, true)
        }
        guard !job.job.cancelRequested else { return (job.job.shown, false) }
        // The end of a job that is being stored stands: exactly one of the two wins.
        if job.phase == .finishing {
            let ended = try await job.ended.wait(upTo: .seconds(30), on: loop)
            if let ended, ended.job.state != .cancelled {
                throw EngineError(
                    .alreadyTerminal, "the job has ended already, in state \(ended.job.state.rawValue)")
            }
            return (ended?.job ?? job.job.shown, ended != nil)
        }
        job.job.cancelRequested = true
        let isWaiting = job.phase != .running && job.phase != .claiming && job.phase != .recovering
        if job.isInserted, !isWaiting {
            commit(.requestCancel(id), of: id) { core, result in core.noteFailure(result) }
        }
        switch job.phase {
        case .preparing, .waiting, .backingOff:
            if job.isInserted || job.committed.isSet {
                end(job, .cancelled)
            } else {
                _ = try await job.committed.wait(upTo: .seconds(60), on: loop)
                if job.phase != .ended, job.phase != .finishing { end(job, .cancelled) }
            }
            _ = try await job.ended.wait(upTo: .seconds(30), on: loop)
        case .recovering:
            // Whoever takes the job up looks at the wish.
            break
        case .claiming:
            // START is sent, or not sent any more, when the claim is durable; both look at the wish.
            break
        case .running:
            job.directTask?.cancel()
            if let sandbox = job.sandbox(in: sandboxes), let reference = job.reference {
                sandbox.send(.cancel(reference, reason: "cancelled"))
            }
            let limit = NIODeadline.now() + .nanoseconds(Int64(hostGraceSeconds * 1e9))
            if job.hostDeadline.map({ $0 > limit }) ?? true { job.hostDeadline = limit }
        case .finishing, .ended:
            break
        }
        return (job.job.shown, false)
    }

    /// Notes a failure of a write that nobody waits for.
    func noteFailure(_ result: Result<StoreOutcome, EngineError>) {
        if case .failure(let error) = result { noteStore(error) }
    }

    /// Notes whether the store takes writes.
    func noteStore(_ error: EngineError?) {
        guard let error else {
            if storeFault != nil {
                logger.notice("the job store takes writes again")
                storeFault = nil
            }
            return
        }
        if storeFault == nil {
            logger.error("the job store does not take writes", metadata: ["reason": "\(error)"])
            probeStore()
        }
        storeFault = EngineError(
            error.code, error.message, retryAfterSeconds: error.retryAfterSeconds ?? 1, cause: error.cause)
    }

    /// Tries a small write until it succeeds, so that submissions are taken again without a restart.
    private func probeStore() {
        loop.scheduleTask(in: .seconds(1)) {
            self.assumeIsolated { core in
                guard !core.isStopped else { return }
                core.commit(.setMeta(key: "probe", value: "\(Date().timeIntervalSince1970)")) { core, result in
                    switch result {
                    case .success: core.noteStore(nil)
                    case .failure: core.probeStore()
                    }
                }
            }
        }
    }
}
