import Foundation
import NIOCore

extension EngineCore {
    /// Takes up an earlier run's jobs and fills the pools.
    package func start() async throws {
        guard !isStarted else { return }
        isStarted = true
        for (name, runtime) in runtimes {
            do {
                try await runtime.check()
                noteRuntime(name, fault: nil)
            } catch {
                noteRuntime(name, fault: (error as? EngineError)?.message ?? "\(error)")
            }
            await runtime.prepare()
        }
        await learnGPUs()
        async let isSized: Void = learnCapacity()
        await recover()
        await isSized
        isRecovered = true
        recovered.succeed(())
        spawn { await $0.watch() }
        spawn { await $0.purge() }
        spawn { await $0.keepDeclared() }
    }

    /// Removes finished jobs and idempotency keys when their time has come.
    private func purge() async {
        while !isStopped {
            do {
                let old = try await store.finished(
                    before: Date() - configuration.data.retention.seconds, limit: 1000)
                if !old.isEmpty {
                    try await store.perform(.purge(old))
                    logger.info("removed old jobs", metadata: ["jobs": "\(old.count)"])
                }
                try await store.perform(
                    .forgetKeys(before: Date() - configuration.data.idempotencyRetention.seconds))
                if old.count == 1000 { continue }
                await lookAfterEnvironments()
                try await Task.sleep(for: .seconds(60))
            } catch is CancellationError {
                return
            } catch {
                // The end of the engine cancels what is under way.
                guard !isStopped else { return }
                logger.warning("old jobs could not be removed", metadata: ["reason": "\(error)"])
                guard (try? await Task.sleep(for: .seconds(60))) != nil else { return }
            }
        }
    }

    /// Looks after the environments; what keeps it from that has nothing to do with old jobs.
    private func lookAfterEnvironments() async {
        do {
            try await maintainEnvironments()
        } catch {
            // The end of the engine cancels what is under way.
            guard !isStopped, !(error is CancellationError) else { return }
            logger.warning(
                "the environments could not be looked after", metadata: ["reason": "\(FailureWords.whole(error))"])
        }
    }

    /// Takes no more jobs, and waits up to `jobs.drain_timeout` for those that run; all calls together as long as one.
    ///
    /// Whoever then still waits for the end of a job is told how it stands.
    package func drain() async {
        await drain(told: true)
        isDrained = true
        for job in jobs.values { job.ended.endWaits() }
    }

    private func drain(told: Bool) async {
        let isFirst = drainDeadline == nil && told
        let limit = configuration.jobs.drainTimeout
        let started = NIODeadline.now()
        let deadline = drainDeadline ?? started + .nanoseconds(Int64(limit.seconds * 1e9))
        drainDeadline = deadline
        if !isDraining {
            isDraining = true
            leaveQueued()
        }
        if isFirst {
            logger.info(
                "the engine takes no more jobs and waits for those that run",
                metadata: [
                    "running": "\(jobs.values.count(where: \.isUnderWay))", "at_most": "\(Quantity.text(limit))",
                ])
        }
        while NIODeadline.now() < deadline, jobs.values.contains(where: \.isUnderWay) {
            // Who is cancelled has no more time.
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { break }
        }
        guard isFirst else { return }
        logger.info(
            "the engine has waited for the jobs that ran",
            metadata: [
                "seconds": "\((Double((NIODeadline.now() - started).nanoseconds) / 1e8).rounded() / 10)",
                "handed_over": "\(jobs.values.count(where: \.isHandedOver))",
                "queued": "\(jobs.values.count { !$0.isUnderWay })",
            ])
    }

    /// Has the jobs that wait for a sandbox wait for the next start instead.
    private func leaveQueued() {
        let waiting = requests
        requests = [:]
        for (request, job) in waiting {
            job.request = nil
            tellPool(.cancelRequest(request))
        }
    }

    /// Takes no more jobs, waits for those that run, and removes every sandbox that runs none.
    package func stop() async {
        guard !isStopped else { return }
        // An engine that has no jobs, such as one whose start failed, has nothing to say of them.
        await drain(told: !jobs.isEmpty)
        for job in jobs.values where job.isHandedOver {
            logger.notice("a running task is handed over", metadata: ["job": "\(job.job.id)"])
        }
        for job in Array(jobs.values) { release(job) }
        isEnding = true
        tellPool(.drain)
        let removal = NIODeadline.now() + .seconds(15)
        while NIODeadline.now() < removal, isRemoving {
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { break }
            removeSpared()
        }
        isStopped = true
        poolTimer?.cancel()
        for task in work.values { task.cancel() }
        // What is cancelled removes what it made.
        let cleanup = NIODeadline.now() + .seconds(15)
        while NIODeadline.now() < cleanup, !work.isEmpty {
            guard (try? await Task.sleep(for: .milliseconds(5))) != nil else { break }
            removeSpared()
        }
        for id in sparedSandboxes {
            logger.notice("a sandbox keeps a result that could not be stored yet", metadata: ["sandbox": "\(id)"])
        }
        for sandbox in sandboxes.values {
            sandbox.link?.close()
            sandbox.relay?.close()
        }
        for runtime in runtimes.values { await runtime.close() }
        for job in jobs.values {
            job.directTask?.cancel()
            job.endFollowers()
            job.ended.fail(EngineError(.draining, "the engine stopped before the job ended"))
            job.committed.fail(EngineError(.draining, "the engine stopped"))
        }
        for feed in feeds.values { feed.finish() }
        recovered.fail(EngineError(.draining, "the engine stopped"))
    }

    /// Whether sandboxes are yet to be removed, those included whose results are about to be stored.
    private var isRemoving: Bool {
        let waits = storeFault != nil || waitingResults.fault != nil
        return sandboxes.values.contains { !$0.isBusy && !(waits && sparedSandboxes.contains($0.id)) }
    }

    /// Removes the sandboxes that were spared for a result that is durable by now.
    private func removeSpared() {
        guard !sparedSandboxes.isEmpty else { return }
        for id in sparedSandboxes.subtracting(holdersOfUnstored()) {
            sparedSandboxes.remove(id)
            destroySandbox(id, reason: "the engine stops")
        }
    }

    /// The sandboxes whose runners have the only copy of an end that is not durable.
    func holdersOfUnstored() -> Set<SandboxID> {
        var holders: Set<SandboxID> = []
        for job in jobs.values where job.phase == .finishing && job.isSent {
            if let id = job.job.sandbox.flatMap({ SandboxID($0) }) { holders.insert(id) }
        }
        return holders
    }
}

extension ActiveJob {
    /// Whether the job runs or its end is being stored.
    var isUnderWay: Bool {
        switch phase {
        case .claiming, .running, .finishing: true
        case .recovering, .preparing, .waiting, .backingOff, .ended: false
        }
    }

    /// Whether the job runs where the next process can take it back.
    fileprivate var isHandedOver: Bool { phase == .running && directTask == nil }
}
