import Foundation
import NIOCore

extension EngineCore {
    /// A job of a tenant that has not ended; nil for one that is in the store at most.
    private func active(_ id: JobID, of tenant: TenantID) throws -> ActiveJob? {
        guard let job = jobs[id] else { return nil }
        guard job.job.tenant == tenant, job.isInserted else { throw Self.noSuchJob }
        return job
    }

    /// Everything that happened to a job so far; room is asked for before a journal is read.
    private func history(of id: JobID, tenant: TenantID, for caller: Caller) async throws -> [EventRecord] {
        if let job = try active(id, of: tenant) { return Array(job.events.prefix(job.told)) }
        guard let row = try await store.row(id), row.job.tenant == tenant else { throw Self.noSuchJob }
        guard let stored = row.journal else { return Self.synthesised(row.job) }
        try await caller.room?(stored.encodedSize + stored.plainSize)
        let artifacts = artifacts
        return try await offload.runIfActive {
            let limit = max(256 << 20, stored.plainSize)
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

    /// The output of a job so far, as text; room is asked for before it is read.
    ///
    /// - Parameter tail: Only this many lines from the end.
    package func logs(
        of id: JobID, tenant: TenantID, stream: LogStream, tail: Int?, for caller: Caller = Caller()
    ) async throws -> [UInt8] {
        if let job = try active(id, of: tenant) { try await caller.room?(job.keptBytes) }
        let records = try await history(of: id, tenant: tenant, for: caller)
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
    ///
    /// Each is written as JSON when it is read. Of a job that has ended, or ends long before its reader, the stored
    /// ones are read as a whole; room is asked for before. Where there is none for the rest of a job, the stream ends
    /// early.
    package func events(
        of id: JobID, tenant: TenantID, after sequence: Int, for caller: Caller = Caller()
    ) async throws -> AsyncStream<JobEvent> {
        guard let job = try active(id, of: tenant) else {
            let records = try await history(of: id, tenant: tenant, for: caller)
            return EventReader(records.filter { $0.sequence > sequence }, of: id).stream
        }
        let (number, loop) = (nextFollower, executor.loop)
        nextFollower += 1
        let follower = EventFollower(from: job.place(after: sequence)) {
            loop.execute { self.assumeIsolated { $0.attend(to: number, of: id) } }
        }
        job.followers[number] = follower
        if job.phase == .ended || isStopped { job.endFollowers() }
        return EventReader(follower, of: id, after: sequence) { last in
            await self.stored(id, tenant: tenant, after: last, for: caller)
        }
        .stream
    }

    /// Gives a follower of a job what it waits for, or forgets one that has gone.
    private func attend(to number: Int, of id: JobID) {
        guard let job = jobs[id], let follower = job.followers[number] else { return }
        if follower.isOver { job.followers[number] = nil } else { follower.fill(from: job) }
    }

    /// The events after a number of a job that has ended; none where they cannot be had.
    private func stored(
        _ id: JobID, tenant: TenantID, after sequence: Int, for caller: Caller
    ) async -> [EventRecord] {
        // An engine that stops before the job has ended has nothing more to tell.
        guard jobs[id] == nil else { return [] }
        do {
            return try await history(of: id, tenant: tenant, for: caller).filter { $0.sequence > sequence }
        } catch {
            logger.notice(
                "a stream of events ends before its last one", metadata: ["job": "\(id)", "reason": "\(error)"])
            return []
        }
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
}
