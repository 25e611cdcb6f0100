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
                try await maintainEnvironments()
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

    /// Takes no more jobs, waits for those that run, and removes every sandbox that runs none.
    package func stop() async {
        guard !isStopped else { return }
        isDraining = true
        let deadline = NIODeadline.now() + .nanoseconds(Int64(configuration.jobs.drainTimeout.seconds * 1e9))
        while NIODeadline.now() < deadline, jobs.values.contains(where: \.isUnderWay) {
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { break }
        }
        for job in jobs.values where job.phase == .running && job.directTask == nil {
            logger.notice("a running task is handed over", metadata: ["job": "\(job.job.id)"])
        }
        for job in Array(jobs.values) { release(job) }
        tellPool(.drain)
        let removal = NIODeadline.now() + .seconds(15)
        while NIODeadline.now() < removal, sandboxes.values.contains(where: { !$0.isBusy }) {
            guard (try? await Task.sleep(for: .milliseconds(10))) != nil else { break }
        }
        isStopped = true
        poolTimer?.cancel()
        for task in work.values { task.cancel() }
        // What is cancelled removes what it made.
        let cleanup = NIODeadline.now() + .seconds(15)
        while NIODeadline.now() < cleanup, !work.isEmpty {
            guard (try? await Task.sleep(for: .milliseconds(5))) != nil else { break }
        }
        for sandbox in sandboxes.values {
            sandbox.link?.close()
            sandbox.relay?.close()
        }
        for runtime in runtimes.values { await runtime.close() }
        for job in jobs.values {
            job.directTask?.cancel()
            for follower in job.followers.values { follower.finish() }
            job.ended.fail(EngineError(.draining, "the engine stopped before the job ended"))
            job.committed.fail(EngineError(.draining, "the engine stopped"))
        }
        for feed in feeds.values { feed.finish() }
        recovered.fail(EngineError(.draining, "the engine stopped"))
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
}
