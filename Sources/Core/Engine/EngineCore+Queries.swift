import Foundation
import NIOCore

extension EngineCore {
    private static var noSuchJob: EngineError { EngineError(.notFound, "there is no such job") }

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

    /// Everything that happened to a job so far.
    private func history(of id: JobID, tenant: TenantID) async throws -> [EventRecord] {
        if let job = jobs[id] {
            guard job.job.tenant == tenant, job.isInserted else { throw Self.noSuchJob }
            return Array(job.events.prefix(job.told))
        }
        guard let row = try await store.row(id), row.job.tenant == tenant else { throw Self.noSuchJob }
        guard let stored = row.journal else { return Self.synthesised(row.job) }
        let artifacts = artifacts
        return try await offload.runIfActive {
            let limit = 256 << 20
            let text = try stored.inline ?? artifacts.read(id, .journal, digest: stored.digest, limit: limit)
            return try Journal.decode(
                PayloadCodec.unpack(text: text, inflatedLimit: limit, encodedLimit: limit))
        }
    }

    /// The events of a job that said nothing: its states.
    private static func synthesised(_ job: Job) -> [EventRecord] {
        var events = [
            EventRecord(
                sequence: 1, time: job.createdAt,
                content: .update(.queued, attempt: 0, message: nil, error: nil))
        ]
        if let started = job.startedAt {
            events.append(
                EventRecord(
                    sequence: 2, time: started,
                    content: .update(.running, attempt: job.attempt, message: nil, error: nil)))
        }
        if let finished = job.finishedAt {
            events.append(
                EventRecord(
                    sequence: events.count + 1, time: finished,
                    content: .update(job.state, attempt: job.attempt, message: nil, error: job.error)))
        }
        return events
    }

    /// The output of a job so far, as text.
    ///
    /// - Parameter tail: Only this many lines from the end.
    package func logs(
        of id: JobID, tenant: TenantID, stream: LogStream, tail: Int?
    ) async throws -> [UInt8] {
        let records = try await history(of: id, tenant: tenant)
        guard Journal.isLong(records, bytes: Self.offloadBytes) else {
            return Self.output(records, stream: stream, tail: tail)
        }
        return try await offload.runIfActive { Self.output(records, stream: stream, tail: tail) }
    }

    private static func output(_ records: [EventRecord], stream: LogStream, tail: Int?) -> [UInt8] {
        var bytes: [UInt8] = []
        for record in records {
            guard case .log(let source, let text) = record.content, stream.includes(source) else {
                continue
            }
            bytes.append(contentsOf: text.utf8)
        }
        guard let tail else { return bytes }
        let newline = UInt8(ascii: "\n")
        var start = bytes.endIndex
        var left = tail
        // The newline at the end closes the last line and begins none.
        if bytes.last == newline { start -= 1 }
        while start > 0, left > 0 {
            guard let previous = bytes[..<start].lastIndex(of: newline) else {
                start = 0
                break
            }
            left -= 1
            start = left == 0 ? previous + 1 : previous
        }
        return tail == 0 ? [] : Array(bytes[start...])
    }

    /// The events of a job after a number, those to come included; the stream ends when the job has.
    package func events(of id: JobID, tenant: TenantID, after sequence: Int) async throws -> AsyncStream<JobEvent> {
        let past = try await history(of: id, tenant: tenant)
        let limit = configuration.jobs.eventsMax * 2 + 1000
        let (stream, continuation) = AsyncStream.makeStream(
            of: JobEvent.self, bufferingPolicy: .bufferingOldest(max(limit, past.count + 16)))
        let live = jobs[id]
        // What is not durable yet is told to all followers together.
        let known = live.map { Array($0.events.prefix($0.told)) } ?? past
        for record in known where record.sequence > sequence { continuation.yield(record.event(of: id)) }
        guard let live, live.phase != .ended, !isStopped else {
            continuation.finish()
            return stream
        }
        let number = nextFollower
        nextFollower += 1
        live.followers[number] = continuation
        continuation.onTermination = { _ in
            Task { await self.unfollow(id, number) }
        }
        return stream
    }

    /// The events of all jobs of a tenant from now on, or from a place in the stream on.
    package func events(_ query: TenantEventQuery, tenant: TenantID) -> AsyncStream<TenantEvent> {
        let number = nextFollower
        nextFollower += 1
        let feed = feeds[tenant] ?? TenantFeed(epoch: feedEpoch)
        feeds[tenant] = feed
        for job in jobs.values where job.job.tenant == tenant { job.feed = feed }
        let (stream, ended) = feed.follow(query, number: number)
        ended.notify { Task { await self.unfollow(tenant, number) } }
        if isStopped { feed.finish() }
        return stream
    }

    private func unfollow(_ tenant: TenantID, _ number: Int) {
        guard let feed = feeds[tenant] else { return }
        feed.unfollow(number)
        guard !feed.isFollowed else { return }
        loop.scheduleTask(in: .seconds(TenantFeed.idleSeconds)) {
            self.assumeIsolated { core in
                guard let feed = core.feeds[tenant], !feed.isFollowed else { return }
                core.feeds[tenant] = nil
                for job in core.jobs.values where job.job.tenant == tenant { job.feed = nil }
            }
        }
    }

    private func unfollow(_ id: JobID, _ number: Int) { jobs[id]?.followers[number] = nil }
}
