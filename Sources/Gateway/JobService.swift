import SlipwayCore

/// What the gateway needs of an engine.
///
/// Every method throws ``EngineError``; a job of another tenant is not found.
package protocol JobService: Sendable {
    /// Validates and accepts a job; it is durable when this returns.
    func submit(_ request: JobRequest, tenant: TenantID, idempotency: IdempotencyKey?) async throws -> Job

    /// Submits, then waits until the job has ended, `limit` has passed or the caller has gone.
    func submit(
        _ request: JobRequest, tenant: TenantID, idempotency: IdempotencyKey?, waitingUpTo limit: Duration,
        for caller: Caller
    ) async throws -> JobOutcome

    /// Accepts all jobs or none; the pointers of faults start with `/jobs/N`.
    func submit(batch: [JobRequest], tenant: TenantID, idempotency: IdempotencyKey?) async throws -> [Job]

    /// The jobs of an earlier request with this key, where that was the same one; none otherwise.
    func replayed(_ key: IdempotencyKey, tenant: TenantID) async throws -> [JobID]

    /// A job as it is now.
    func job(_ id: JobID, tenant: TenantID) async throws -> Job

    /// A job, when it has ended, `limit` has passed or the caller has gone.
    func wait(for id: JobID, tenant: TenantID, upTo limit: Duration, for caller: Caller) async throws -> JobOutcome

    /// A page of the tenant's jobs.
    func jobs(_ query: JobQuery, tenant: TenantID) async throws -> JobPage

    /// Asks for the end of a job.
    func cancel(_ id: JobID, tenant: TenantID) async throws -> (job: Job, alreadyCancelled: Bool)

    /// Asks for the end of a job if it has not started.
    func cancelIfQueued(_ id: JobID, tenant: TenantID) async throws -> (job: Job, alreadyCancelled: Bool)

    /// Removes a job that has ended, with all that belongs to it.
    func delete(_ id: JobID, tenant: TenantID) async throws

    /// The result of a job that has ended; the caller makes room for a large one first.
    func result(of id: JobID, tenant: TenantID, for caller: Caller) async throws -> JobOutcome

    /// The files that a job left, by name.
    func artifacts(of id: JobID, tenant: TenantID) async throws -> [JobArtifact]

    /// One of these files.
    func artifact(_ name: String, of id: JobID, tenant: TenantID) async throws -> JobArtifact

    /// The bytes of one of these files, or a range of them.
    func content(
        ofArtifact name: String, of id: JobID, tenant: TenantID, range: Range<Int>?
    ) async throws -> ArtifactContent

    /// The output of a job; the last `tail` lines of it, when given. The caller makes room for much of it first.
    func logs(
        of id: JobID, tenant: TenantID, stream: LogStream, tail: Int?, for caller: Caller
    ) async throws -> [UInt8]

    /// The events of a job after the one with number `seq`, those of the past first, until the job has ended.
    ///
    /// The caller makes room for many stored ones before they are read.
    func events(
        of id: JobID, tenant: TenantID, after seq: Int, for caller: Caller
    ) async throws -> AsyncStream<JobEvent>

    /// The events of all jobs of a tenant from now on, or after a place in their stream.
    func events(_ query: TenantEventQuery, tenant: TenantID) async -> AsyncStream<TenantEvent>

    /// What is warm; counts are those of one tenant.
    func pools(for tenant: TenantID?) async -> [PoolStatus]

    /// What a tenant may use, and what it uses now.
    func usage(of tenant: TenantID) async -> TenantUsage
    /// The environments of a tenant.
    func environments(tenant: TenantID) async -> [EnvironmentStatus]

    /// One environment of a tenant, by its id or key.
    func environment(_ name: String, tenant: TenantID) async throws -> EnvironmentStatus

    /// Installs what jobs like this one will need.
    func buildEnvironment(
        for request: JobRequest, tenant: TenantID, waitingUpTo limit: Duration
    ) async throws -> EnvironmentStatus

    /// Removes environments of a tenant that nothing uses.
    func pruneEnvironments(
        tenant: TenantID, ids: [String]?, unusedFor: Duration?
    ) async throws -> [EnvironmentStatus]

    /// Whether jobs can run.
    func readiness() async -> Readiness

    /// Measurements in the text format of Prometheus.
    func metricsText() async -> String
}
