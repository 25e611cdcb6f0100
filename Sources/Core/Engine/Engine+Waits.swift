extension Engine {
    /// Cancels a job only if it has not started: a job that runs is never ended by this.
    ///
    /// - Returns: The job, and whether it had been cancelled before.
    /// - Throws: ``EngineError`` `.alreadyStarted` for a job that is starting or running, `.alreadyTerminal` for one that
    ///   completed or failed, `.notFound`.
    @discardableResult
    public func cancelIfQueued(
        _ id: JobID, tenant: TenantID = .default
    ) async throws -> (job: Job, alreadyCancelled: Bool) {
        try await core.cancelIfQueued(id, tenant: tenant)
    }

    /// Submits a job and waits for its end, up to a limit and for as long as whoever asked is there.
    package func submit(
        _ request: JobRequest, tenant: TenantID, idempotency: IdempotencyKey?, waitingUpTo limit: Duration,
        for caller: Caller
    ) async throws -> JobOutcome {
        try await core.submit(
            request, tenant: tenant, idempotency: idempotency, waitingUpTo: limit, for: caller)
    }

    /// The jobs of an earlier request with this key, where that was the same one; none otherwise.
    package func replayed(_ key: IdempotencyKey, tenant: TenantID) async throws -> [JobID] {
        try await core.replayed(key, of: tenant)
    }

    /// A job with its result, when it ends within the limit and while whoever asked is there.
    package func wait(
        for id: JobID, tenant: TenantID, upTo limit: Duration, for caller: Caller
    ) async throws -> JobOutcome {
        try await core.wait(for: id, tenant: tenant, upTo: limit, for: caller)
    }

    /// The result of a job that has ended; room is asked for before a large one is read.
    package func result(of id: JobID, tenant: TenantID, for caller: Caller) async throws -> JobOutcome {
        try await core.result(of: id, tenant: tenant, for: caller)
    }

    /// The output of a job so far; room is asked for before it is read.
    package func logs(
        of id: JobID, tenant: TenantID, stream: LogStream, tail: Int?, for caller: Caller
    ) async throws -> [UInt8] {
        try await core.logs(of: id, tenant: tenant, stream: stream, tail: tail, for: caller)
    }

    /// The events of a job after number `seq`; room is asked for before stored ones are read.
    package func events(
        of id: JobID, tenant: TenantID, after seq: Int, for caller: Caller
    ) async throws -> AsyncStream<JobEvent> {
        try await core.events(of: id, tenant: tenant, after: seq, for: caller)
    }
}
