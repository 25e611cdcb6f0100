import Foundation
import NIOCore

extension EngineCore {
    /// Looks at deadlines and heartbeats once a second, and asks every few seconds whether the runtimes are there.
    func watch() async {
        while !isStopped {
            do {
                try await Task.sleep(for: .seconds(1))
            } catch {
                return
            }
            let due = watchRounds.next()
            if due.sweeps { sweep() }
            if due.asksRuntimes { for runtime in runtimes.values { spawn { _ in await runtime.maintain() } } }
            checkJobs()
            checkSandboxes()
            checkPins()
            checkRuntimes(all: due.asksRuntimes)
            checkDisk()
            markRunning()
        }
    }

    /// Looks for leftovers beside the watch: deadlines hold also while a container engine does not answer.
    private func sweep() {
        spawn { core in
            await core.removeLeftovers()
            core.watchRounds.sweepEnded()
        }
    }

    /// Refuses jobs before the disk is so full that accepted ones could not finish.
    ///
    /// The watch does not wait for it: the threads that ask may be busy, or the disk may hang.
    private func checkDisk() {
        guard !isAskingDisk else { return }
        isAskingDisk = true
        let store = store
        spawn { core in
            // A disk that cannot be asked is judged by the next write.
            let free = try? await core.offload.runIfActive { try store.freeBytes() }
            core.isAskingDisk = false
            if let free { core.noteDisk(free: free) }
        }
    }

    private func noteDisk(free: Int) {
        let limit = configuration.data.minFreeBytes
        let isLow = free < limit
        guard isLow != isDiskLow else { return }
        isDiskLow = isLow
        if isLow {
            logger.error(
                "the disk is low and no job is accepted",
                metadata: ["free": "\(free)", "data.min_free": "\(limit)"])
        } else {
            logger.notice("the disk has room again", metadata: ["free": "\(free)"])
        }
    }

    /// Writes the state of jobs that run for longer than a moment; shorter ones are not worth a commit.
    private func markRunning() {
        let now = NIODeadline.now()
        let late = jobs.values.filter { job in
            job.phase == .running && !job.isMarkedRunning && job.isInserted && job.waitingChanges == nil
                && job.startedAt.map { now - $0 > .milliseconds(500) } ?? false
        }
        guard !late.isEmpty else { return }
        for job in late { job.isMarkedRunning = true }
        let attempts = late.map { job in
            StartedAttempt(JobAttempt(id: job.job.id, attempt: job.job.attempt), at: job.job.startedAt ?? Date())
        }
        commit(.markRunning(attempts)) { core, result in core.noteFailure(result) }
    }

    private func checkJobs() {
        let now = NIODeadline.now()
        for job in Array(jobs.values) {
            switch job.phase {
            case .preparing, .waiting, .backingOff:
                guard job.queueDeadline < now, job.isInserted else { continue }
                fail(job, JobError(kind: .expired, message: "the job waited longer than its queue_timeout"))
            case .running:
                guard let deadline = job.hostDeadline, deadline < now else { continue }
                overdue(job)
            case .recovering, .claiming, .finishing, .ended:
                continue
            }
        }
    }

    /// Ends a job that its runner should have ended: the sandbox goes with it.
    private func overdue(_ job: ActiveJob) {
        job.hostDeadline = nil
        guard let sandbox = job.sandbox(in: sandboxes) else {
            job.directTask?.cancel()
            if job.job.cancelRequested {
                end(job, .cancelled)
            } else {
                failAttempt(job, JobError(kind: .timeout, message: "the handler ran longer than its timeout"))
            }
            return
        }
        logger.warning(
            "a job outlived its deadline and its sandbox is removed",
            metadata: ["job": "\(job.job.id)", "sandbox": "\(sandbox.id)"])
        sandbox.slot(of: job).job = nil
        if let reference = job.reference { sandbox.slot(of: job).forgotten.insert(reference) }
        if job.job.cancelRequested {
            end(job, .cancelled)
        } else {
            failAttempt(
                job,
                JobError(
                    kind: .timeout, message: "the task ran longer than its timeout of \(job.plan.timeoutSeconds) s"))
        }
        lose(sandbox, reason: "a task in it did not end")
    }

    /// The longest that a sandbox may take to prove itself clean; its supervisor gives up after half of it.
    private static let cleaningMax = TimeAmount.seconds(60)

    /// Gives up a sandbox in which something of an ended task stays, in the kernel perhaps, and nobody says so.
    ///
    /// One without its connection cannot say so: for that there is `runner.reconnect_grace`.
    private func checkCleaning(_ sandbox: Sandbox, now: NIODeadline) {
        guard sandbox.disconnectedAt == nil, !sandbox.isAsleep else { return }
        for slot in sandbox.slots {
            guard let since = slot.cleaningSince, now - since > Self.cleaningMax, !slot.owesAcknowledgement else {
                continue
            }
            return lose(sandbox, reason: "it was not proved clean within a minute of its task's end")
        }
    }

    private func checkSandboxes() {
        let now = NIODeadline.now()
        for sandbox in Array(sandboxes.values) where !sandbox.isClosing { checkCleaning(sandbox, now: now) }
        let quiet = TimeAmount.nanoseconds(Int64(configuration.runner.heartbeat.seconds * 4e9))
        for sandbox in Array(sandboxes.values) {
            guard sandbox.hello != nil, !sandbox.isClosing, !sandbox.isAsleep, now - sandbox.lastHeard > quiet else {
                continue
            }
            let id = sandbox.id
            spawn { await $0.examine(id, because: "it is silent") }
        }
    }

    /// Asks the runtime about a sandbox that is silent or disconnected; a miss is a question, not a verdict.
    func examine(_ id: SandboxID, because symptom: String) async {
        guard let sandbox = sandboxes[id], !sandbox.isClosing, !sandbox.isInspected, let handle = sandbox.handle,
            let runtime = runtimes[sandbox.sandboxClass.runtime]
        else { return }
        sandbox.isInspected = true
        let naps = sandbox.naps
        defer { sandbox.isInspected = false }
        let condition: SandboxCondition?
        do {
            condition = try await runtime.inspect(handle)
        } catch {
            // An engine that does not answer says nothing about the sandbox; silence is judged below.
            condition = nil
        }
        guard sandboxes[id] === sandbox, !sandbox.isClosing else { return }
        // What was seen while it was being frozen or thawed says nothing about the time after.
        let isOurs = sandbox.isAsleep || sandbox.naps != naps
        switch condition {
        case .gone(let reason)?:
            lose(sandbox, reason: reason, kind: reason.contains("out of memory") ? .oom : .lost)
        case .paused? where !isOurs:
            lose(sandbox, reason: "somebody paused it")
        case .running?, .paused?, nil:
            let silence = NIODeadline.now() - sandbox.lastHeard
            if !sandbox.isAsleep, silence.nanoseconds > Int64(configuration.runner.silence.seconds * 1e9) {
                lose(sandbox, reason: "it was silent for \(configuration.runner.silence)")
            } else if let since = sandbox.disconnectedAt,
                (NIODeadline.now() - since).nanoseconds > Int64(configuration.runner.reconnectGrace.seconds * 1e9)
            {
                lose(sandbox, reason: "its connection was lost and it did not dial again")
            } else if sandbox.disconnectedAt != nil {
                loop.scheduleTask(in: .milliseconds(500)) {
                    self.assumeIsolated { core in
                        guard core.sandboxes[id]?.disconnectedAt != nil else { return }
                        core.spawn { await $0.examine(id, because: symptom) }
                    }
                }
            }
        }
    }

    /// Asks runtimes whether they can start sandboxes: all of them, or those that could not.
    private func checkRuntimes(all: Bool) {
        for (name, runtime) in runtimes where (all || runtimeFaults[name] != nil) && !runtimeChecks.contains(name) {
            runtimeChecks.insert(name)
            spawn { core in
                do {
                    try await runtime.check()
                    let wasDown = core.runtimeFaults[name] != nil
                    core.noteRuntime(name, fault: nil)
                    // An engine that was away may be back on a machine of another size.
                    if name == core.defaultRuntime, wasDown || core.isCapacityUnknown {
                        await core.learnCapacity()
                    }
                } catch {
                    core.noteRuntime(name, fault: (error as? EngineError)?.message ?? "\(error)")
                }
                core.runtimeChecks.remove(name)
            }
        }
    }
}
