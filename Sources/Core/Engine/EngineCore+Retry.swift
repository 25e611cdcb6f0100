import Foundation
import NIOCore

extension EngineCore {
    /// The sandboxes that may end in a row before they begin with an attempt of a job.
    private static let sandboxesPerAttempt = 3

    /// Whether a failure of the current attempt leads to another one.
    func mayRetry(_ job: ActiveJob, _ error: JobError?) -> Bool {
        guard let error, job.job.attempt < job.maxAttempts, !job.job.cancelRequested else { return false }
        switch error.kind {
        case .exception, .exit, .timeout, .oom, .lost, .startFailed: return true
        case .protocol: return error.type == nil
        case .dependency, .artifactCorrupt, .expired: return false
        }
    }

    /// Ends an attempt with an error: by another attempt, or by the end of the job.
    func failAttempt(_ job: ActiveJob, _ error: JobError) {
        guard job.phase == .running || job.phase == .claiming else { return }
        if mayRetry(job, error) { retry(job, failureWords.cut(error)) } else { fail(job, error) }
    }

    /// Puts a job back for its next attempt, after the back-off.
    ///
    /// - Parameter acknowledging: The sandbox whose runner may drop the attempt's result once the next is durable.
    func retry(_ job: ActiveJob, _ error: JobError?, acknowledging: SandboxID? = nil) {
        counters.retried += 1
        let factor = Double(1 << min(20, max(0, job.job.attempt - 1)))
        let delay = min(job.backoffSeconds * factor, 3600)
        putBack(job, sameAttempt: false, delay: delay, because: error, acknowledging: acknowledging)
    }

    /// How often START may fail to reach a runner: more is the doing of an image, not bad luck.
    private static let unstartedReturnsMax = 10

    /// Puts a job back whose START provably never reached a runner: the attempt does not count.
    func retryUnstarted(_ job: ActiveJob) {
        guard job.phase == .claiming || job.phase == .running else { return }
        guard job.reference != nil else {
            // Its input was still being read: it was not claimed yet, and its row waits as before.
            job.phase = .backingOff
            scheduleReentry(job.job.id, after: 0)
            return
        }
        job.unstartedReturns += 1
        logger.notice(
            "a job goes back to the queue, for its start did not reach a runner",
            metadata: ["job": "\(job.job.id)", "times": "\(job.unstartedReturns)"])
        guard job.unstartedReturns <= Self.unstartedReturnsMax else {
            let message = "its start did not reach a runner, \(Self.unstartedReturnsMax) times: look at the image"
            failAttempt(job, JobError(kind: .startFailed, message: message))
            return
        }
        putBack(job, sameAttempt: true, delay: 0, because: nil)
    }

    /// Starts a job in another sandbox than the one that ended before it had begun with it.
    ///
    /// The attempt does not count; but after a few of them in a row no sandbox is going to fare better.
    func startElsewhere(_ job: ActiveJob, because reason: String) {
        if job.reference != nil { job.sandboxesLost += 1 }
        guard job.sandboxesLost >= Self.sandboxesPerAttempt else { return retryUnstarted(job) }
        failAttempt(
            job,
            JobError(
                kind: .startFailed,
                message: "\(job.sandboxesLost) sandboxes ended before the task could begin, the last one because "
                    + "\(reason)"))
    }

    private func putBack(
        _ job: ActiveJob, sameAttempt: Bool, delay: Double, because error: JobError?,
        acknowledging: SandboxID? = nil
    ) {
        release(job)
        let reference = job.reference
        let attempt = JobAttempt(id: job.job.id, attempt: job.job.attempt)
        job.flushText()
        job.closeOutput(
            of: attempt.attempt,
            limitBytes: ActiveJob.earlierOutputLimitBytes(logLimitBytes: configuration.jobs.logLimitBytes))
        job.phase = .backingOff
        leaveTenant(job)
        job.reference = nil
        job.logOffsets = [:]
        job.logBytes = [:]
        job.eventBytes = 0
        job.runnerSequence = 0
        job.resultParts = []
        job.outputs = nil
        job.hasMoreTime = false
        job.isMarkedRunning = false
        job.isTakenBack = false
        job.hostDeadline = nil
        job.job.state = .queued
        if sameAttempt { job.wasReturned = true }
        // The row's number is that of the attempt that comes next; the end of a job that still waits must name it, too.
        if !sameAttempt {
            job.job.attempt += 1
            job.sandboxesLost = 0
            job.unstartedReturns = 0
            // The time that it ran for is no time in the queue.
            job.queueDeadline = job.queueDeadline + (job.claimedAt.map { NIODeadline.now() - $0 } ?? .zero)
        }
        job.repeatsAttempt = true
        job.job.sandbox = nil
        job.emit(
            .update(
                .queued, attempt: attempt.attempt, message: error.map { "trying again: \($0.message)" },
                error: error))
        let notBefore = delay > 0 ? Int64((Date().timeIntervalSince1970 + delay) * 1000) : nil
        let id = job.job.id
        let requeue = StoreOperation.requeue(
            attempt, notBeforeMilliseconds: notBefore,
            queueDeadlineMilliseconds: sameAttempt ? nil : Self.milliseconds(at: job.queueDeadline),
            sameAttempt: sameAttempt)
        storeReturn(id, requeue) { core in
            if let acknowledging, let reference, let sandbox = core.sandboxes[acknowledging] {
                core.acknowledge(reference, in: sandbox)
            }
            if let job = core.jobs[id] { core.unload(job) }
            core.scheduleReentry(id, after: delay)
        }
    }

    /// When something will be by the clock on the wall, as rows have it.
    private static func milliseconds(at deadline: NIODeadline) -> Int64 {
        Int64((Date().timeIntervalSince1970 + Double((deadline - .now()).nanoseconds) / 1e9) * 1000)
    }

    /// Commits a return to the queue, behind the row where that is still to come.
    ///
    /// Until the store takes it, further changes of the row wait: an end names the attempt that the return makes.
    private func storeReturn(
        _ id: JobID, _ operation: StoreOperation, then next: @escaping @Sendable (isolated EngineCore) -> Void
    ) {
        guard let job = jobs[id] else { return }
        guard job.waitingChanges == nil else {
            job.waitingChanges?.append { core in core.storeReturn(id, operation, then: next) }
            return
        }
        job.waitingChanges = []
        tryReturn(id, operation, then: next)
    }

    private func tryReturn(
        _ id: JobID, _ operation: StoreOperation, then next: @escaping @Sendable (isolated EngineCore) -> Void
    ) {
        commit(operation) { core, result in
            if case .failure(let error) = result {
                core.noteStore(error)
                core.loop.scheduleTask(in: .seconds(1)) {
                    core.assumeIsolated { $0.tryReturn(id, operation, then: next) }
                }
                return
            }
            core.noteStore(nil)
            let job = core.jobs[id]
            let changes = job?.waitingChanges ?? []
            job?.waitingChanges = nil
            if case .success(.applied(false)) = result, !operation.givesBack {
                core.logger.error("a return to the queue was not accepted by the store", metadata: ["job": "\(id)"])
                if let job, job.phase == .backingOff {
                    core.fail(job, JobError(kind: .lost, message: "the job could not be put back into the queue"))
                }
            } else {
                // The claim of one that is given back need not be stored: then its row is queued as it was.
                next(core)
            }
            for change in changes { change(core) }
        }
    }

    /// Takes a job up again after its back-off.
    func scheduleReentry(_ id: JobID, after delay: Double) {
        loop.scheduleTask(in: .nanoseconds(Int64(delay * 1e9))) {
            self.assumeIsolated { core in
                guard let job = core.jobs[id], job.phase == .backingOff else { return }
                if job.job.cancelRequested { return core.end(job, .cancelled) }
                // It is in the queue: the next process takes it up.
                guard !core.isDraining else { return }
                core.enter(job)
            }
        }
    }

    /// Ends a job whose claim could not be stored.
    func giveUp(_ job: ActiveJob, _ error: EngineError) {
        if job.committed.isSet {
            // The submit was accepted: the job goes on when the store does.
            if let sandbox = job.sandbox(in: sandboxes) {
                if job.phase == .running, let reference = job.reference {
                    sandbox.slot(of: job).cleaning = reference
                    sandbox.slot(of: job).job = nil
                    sandbox.send(.cancel(reference, reason: "cancelled"))
                } else {
                    releaseUnused(sandbox, job)
                }
            }
            // The claim is not in the store: the row is queued as it was.
            job.phase = .backingOff
            leaveTenant(job)
            job.reference = nil
            job.hostDeadline = nil
            job.job.state = .queued
            job.job.sandbox = nil
            job.repeatsAttempt = true
            job.wasReturned = true
            unload(job)
            scheduleReentry(job.job.id, after: 1)
        } else {
            abort(job, error)
        }
    }

    /// Gives up a sandbox; its job is tried again or ends as lost.
    func lose(_ sandbox: Sandbox, reason: String, kind: JobError.Kind = .lost) {
        guard !sandbox.isClosing else { return }
        for slot in sandbox.slots {
            guard let job = slot.job else { continue }
            slot.job = nil
            guard job.phase != .claiming else {
                startElsewhere(job, because: reason)
                continue
            }
            counters.lost += 1
            logger.warning(
                "a running job was lost",
                metadata: ["job": "\(job.job.id)", "sandbox": "\(sandbox.id)", "reason": "\(reason)"])
            failAttempt(job, JobError(kind: kind, message: "the sandbox was lost while the task ran: \(reason)"))
        }
        for slot in sandbox.slots { slot.cleaning = nil }
        tellPool(.lost(sandbox.id, reason: reason))
    }
}
