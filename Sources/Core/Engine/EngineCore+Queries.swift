import Foundation
import NIOCore

extension EngineCore {
    static var noSuchJob: EngineError { EngineError(.notFound, "there is no such job") }

    /// Waits until the jobs of an earlier run are taken up: before, only their rows are known.
    func awaitRecovery() async throws {
        if isRecovered { return }
        guard try await recovered.wait(upTo: .seconds(15), on: loop) != nil else {
            throw EngineError(
                .unavailable, "the engine is taking up the jobs of its last run", retryAfterSeconds: 1)
        }
    }

    /// A job of a tenant, as it is now.
    package func job(_ id: JobID, tenant: TenantID) async throws -> Job {
        if let job = jobs[id] {
            guard job.job.tenant == tenant, job.isInserted else { throw Self.noSuchJob }
            return snapshot(of: job)
        }
        guard let job = try await store.job(id, tenant: tenant) else { throw Self.noSuchJob }
        return job
    }

    /// A job with its result, when it ends within the limit; the job as it is otherwise.
    package func wait(
        for id: JobID, tenant: TenantID, upTo limit: Duration, for caller: Caller = Caller()
    ) async throws -> JobOutcome {
        if let job = jobs[id] {
            guard job.job.tenant == tenant, job.isInserted else { throw Self.noSuchJob }
            if limit > .zero, let outcome = try await end(of: job, upTo: limit, for: caller) { return outcome }
            if job.phase != .ended { return JobOutcome(job: snapshot(of: job), result: nil) }
        }
        return try await storedOutcome(id, tenant: tenant, for: caller)
    }

    /// The result of a job that has ended.
    package func result(of id: JobID, tenant: TenantID, for caller: Caller = Caller()) async throws -> JobOutcome {
        if let job = jobs[id], job.job.tenant == tenant, job.isInserted, job.phase != .ended {
            throw EngineError(.notFinished, "the job has not ended yet: it is \(job.job.state.rawValue)")
        }
        let outcome = try await storedOutcome(id, tenant: tenant, for: caller)
        guard outcome.job.state.isTerminal else {
            throw EngineError(.notFinished, "the job has not ended yet: it is \(outcome.job.state.rawValue)")
        }
        return outcome
    }

    private func storedOutcome(_ id: JobID, tenant: TenantID, for caller: Caller) async throws -> JobOutcome {
        guard let row = try await store.row(id), row.job.tenant == tenant else { throw Self.noSuchJob }
        guard let stored = row.result, let media = row.resultMedia, row.job.state == .completed else {
            return JobOutcome(job: row.job, result: nil)
        }
        if stored.inline == nil { try await caller.room?(stored.encodedSize + stored.plainSize) }
        let artifacts = artifacts
        let limit = configuration.jobs.resultLimitBytes
        let (text, plain) = try await offload.runIfActive {
            let text =
                try stored.inline ?? artifacts.read(id, .result, digest: stored.digest, limit: limit * 2 + 4096)
            return (
                text,
                try PayloadCodec.unpack(text: text, inflatedLimit: limit, encodedLimit: limit * 2 + 4096)
            )
        }
        return JobOutcome(
            job: row.job, result: JobResult(media: media, bytes: plain, exitCode: row.job.exitCode), packedText: text)
    }

    /// Jobs of a tenant, newest first.
    package func list(_ query: JobQuery, tenant: TenantID) async throws -> JobPage {
        // States that live in memory only, such as running, are newer than the store's.
        var moved = MovedJobs()
        if query.states.contains(where: { !$0.isTerminal }) {
            for job in jobs.values where job.isUnderWay && job.job.tenant == tenant && job.isInserted {
                moved.note(job.job.id, job.job.shown.state)
            }
        }
        let page = try await store.list(query, tenant: tenant, moved: moved)
        let current = page.jobs.map { jobs[$0.id]?.job.shown ?? $0 }
        return JobPage(
            jobs: query.states.isEmpty ? current : current.filter { query.states.contains($0.state) },
            nextCursor: page.nextCursor)
    }

    /// Removes a job that has ended, with its artifacts and logs.
    package func delete(_ id: JobID, tenant: TenantID) async throws {
        if let job = jobs[id], job.job.tenant == tenant, job.isInserted {
            throw EngineError(
                .notFinished, "the job has not ended yet: cancel it first (it is \(job.job.state.rawValue))")
        }
        switch try await store.perform(.delete(id, tenant: tenant)) {
        case .applied(true), .changed(1...), .done: return
        case .applied(false): throw EngineError(.notFinished, "the job has not ended yet: cancel it first")
        case .missing, .changed, .replay, .keyReused: throw Self.noSuchJob
        }
    }
}
