import Foundation
import SlipwayCore
import SlipwayGateway

/// A service without an engine: it keeps jobs in memory and ends them when a test says so.
///
/// It checks requests with the real validator, so that what goes over the wire is what an engine would say.
actor StubJobService: JobService {
    struct Submission: Sendable {
        let request: JobRequest
        let idempotency: IdempotencyKey?
        let wait: Duration?
    }

    private(set) var submissions: [Submission] = []
    private(set) var lastQuery: JobQuery?
    private(set) var lastTail: Int?
    private var outcomes: [JobID: JobOutcome] = [:]
    private var eventLists: [JobID: [JobEvent]] = [:]
    private var ending: (@Sendable (Job) -> JobOutcome)?
    private var failure: EngineError?
    private var logText: [UInt8] = []
    private var files: [JobID: [String: [UInt8]]] = [:]
    private var keepsEventsOpen = false
    private(set) var eventReads = 0
    private var tenantEvents: [TenantEvent] = []
    private(set) var tenantQueries: [TenantEventQuery] = []
    private var poolList: [PoolStatus] = []
    private(set) var poolTenant: TenantID?
    private var environmentLists: [TenantID: [EnvironmentStatus]] = [:]
    private(set) var environmentRequests: [(request: JobRequest, wait: Duration)] = []
    private(set) var prunings: [(ids: [String]?, unusedFor: Duration?)] = []
    var limits = RequestLimits()

    private(set) var reallyWaits = false
    /// How many waits are under way.
    private(set) var waiting = 0
    /// How many readers of events there are.
    private(set) var followers = 0
    func setReallyWaits() { reallyWaits = true }
    func setLimits(_ limits: RequestLimits) { self.limits = limits }
    /// Makes submitted jobs end at once.
    func endJobs(_ ending: @escaping @Sendable (Job) -> JobOutcome) { self.ending = ending }
    func fail(_ error: EngineError?) { failure = error }
    func add(_ outcome: JobOutcome) { outcomes[outcome.job.id] = outcome }
    func setEvents(_ events: [JobEvent], of id: JobID, staysOpen: Bool = false) {
        eventLists[id] = events
        keepsEventsOpen = staysOpen
    }
    func setTenantEvents(_ events: [TenantEvent]) { tenantEvents = events }
    func setLogs(_ text: [UInt8]) { logText = text }
    func setEnvironments(_ list: [EnvironmentStatus], of tenant: TenantID) { environmentLists[tenant] = list }
    func setPools(_ pools: [PoolStatus]) { poolList = pools }

    func submit(_ request: JobRequest, tenant: TenantID, idempotency: IdempotencyKey?) async throws -> Job {
        try accept([request], tenant: tenant, idempotency: idempotency, wait: nil, isBatch: false)[0].job
    }

    func submit(
        _ request: JobRequest, tenant: TenantID, idempotency: IdempotencyKey?, waitingUpTo limit: Duration,
        for caller: Caller
    ) async throws -> JobOutcome {
        let outcome = try accept(
            [request], tenant: tenant, idempotency: idempotency, wait: limit, isBatch: false)[0]
        if !outcome.job.state.isTerminal { await sleep(limit, caller) }
        return outcome
    }

    func submit(batch: [JobRequest], tenant: TenantID, idempotency: IdempotencyKey?) async throws -> [Job] {
        try accept(batch, tenant: tenant, idempotency: idempotency, wait: nil, isBatch: true).map(\.job)
    }

    func replayed(_ key: IdempotencyKey, tenant: TenantID) async throws -> [JobID] { [] }

    func job(_ id: JobID, tenant: TenantID) async throws -> Job { try find(id, tenant).job }

    func wait(for id: JobID, tenant: TenantID, upTo limit: Duration, for caller: Caller) async throws -> JobOutcome {
        let outcome = try find(id, tenant)
        if !outcome.job.state.isTerminal { await sleep(limit, caller) }
        return outcome
    }

    /// Waits as an engine does, when a test wants it to.
    private func sleep(_ limit: Duration, _ caller: Caller) async {
        guard reallyWaits else { return }
        waiting += 1
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        _ = caller.departure?.notify { continuation.finish() }
        let timer = Task {
            try await Task.sleep(for: limit)
            continuation.finish()
        }
        for await _ in stream {}
        timer.cancel()
        waiting -= 1
    }

    func jobs(_ query: JobQuery, tenant: TenantID) async throws -> JobPage {
        lastQuery = query
        let own = outcomes.values.map(\.job).filter { $0.tenant == tenant }.sorted { $0.id > $1.id }
        return JobPage(jobs: Array(own.prefix(query.limit)), nextCursor: own.count > query.limit ? "next" : nil)
    }

    func cancel(_ id: JobID, tenant: TenantID) async throws -> (job: Job, alreadyCancelled: Bool) {
        var job = try find(id, tenant).job
        if job.state == .cancelled { return (job, true) }
        guard !job.state.isTerminal else { throw EngineError(.alreadyTerminal, "The job has ended already.") }
        job.state = .cancelled
        outcomes[id] = JobOutcome(job: job)
        return (job, false)
    }

    func cancelIfQueued(_ id: JobID, tenant: TenantID) async throws -> (job: Job, alreadyCancelled: Bool) {
        let state = try find(id, tenant).job.state
        guard state == .queued || state.isTerminal else {
            throw EngineError(.alreadyStarted, "The job has started already.")
        }
        return try await cancel(id, tenant: tenant)
    }

    func delete(_ id: JobID, tenant: TenantID) async throws {
        guard try find(id, tenant).job.state.isTerminal else {
            throw EngineError(.notFinished, "The job has not ended yet.")
        }
        outcomes[id] = nil
    }

    func result(of id: JobID, tenant: TenantID, for caller: Caller) async throws -> JobOutcome {
        let outcome = try find(id, tenant)
        guard outcome.job.state.isTerminal else { throw EngineError(.notFinished, "The job has not ended yet.") }
        try await caller.room?(outcome.result?.bytes.count ?? 0)
        return outcome
    }

    /// Gives a job a file.
    func leave(_ name: String, _ bytes: [UInt8], of id: JobID) { files[id, default: [:]][name] = bytes }

    func artifacts(of id: JobID, tenant: TenantID) async throws -> [JobArtifact] {
        guard try find(id, tenant).job.state.isTerminal else {
            throw EngineError(.notFinished, "The job has not ended yet.")
        }
        return (files[id] ?? [:]).sorted { $0.key < $1.key }.map { name, bytes in
            JobArtifact(
                name: name, sizeBytes: bytes.count, sha256: String(repeating: "ab", count: 32),
                mediaType: name.hasSuffix(".html") ? "text/html; charset=utf-8" : "application/octet-stream")
        }
    }

    func artifact(_ name: String, of id: JobID, tenant: TenantID) async throws -> JobArtifact {
        guard let artifact = try await artifacts(of: id, tenant: tenant).first(where: { $0.name == name }) else {
            throw EngineError(.notFound, "No such file.")
        }
        return artifact
    }

    func content(
        ofArtifact name: String, of id: JobID, tenant: TenantID, range: Range<Int>?
    ) async throws -> ArtifactContent {
        let artifact = try await artifact(name, of: id, tenant: tenant)
        let wanted = range ?? 0..<artifact.sizeBytes
        let pieces = Pieces(bytes: Array((files[id]?[name] ?? [])[wanted]))
        return ArtifactContent(artifact: artifact, range: wanted) { await pieces.next() }
    }

    /// Hands out bytes three at a time.
    private actor Pieces {
        private var bytes: ArraySlice<UInt8>

        init(bytes: [UInt8]) { self.bytes = bytes[...] }

        func next() -> [UInt8]? {
            guard !bytes.isEmpty else { return nil }
            defer { bytes = bytes.dropFirst(3) }
            return Array(bytes.prefix(3))
        }
    }

    func logs(
        of id: JobID, tenant: TenantID, stream: LogStream, tail: Int?, for caller: Caller
    ) async throws -> [UInt8] {
        _ = try find(id, tenant)
        lastTail = tail
        try await caller.room?(logText.count)
        return logText
    }

    func events(_ query: TenantEventQuery, tenant: TenantID) async -> AsyncStream<TenantEvent> {
        tenantQueries.append(query)
        let (stream, continuation) = AsyncStream<TenantEvent>.makeStream()
        for event in tenantEvents { continuation.yield(event) }
        continuation.finish()
        return stream
    }

    func events(
        of id: JobID, tenant: TenantID, after seq: Int, for caller: Caller
    ) async throws -> AsyncStream<JobEvent> {
        let isOver = try find(id, tenant).job.state.isTerminal
        eventReads += 1
        let list = eventLists[id] ?? []
        if isOver { try await caller.room?(list.reduce(0) { $0 + $1.json.count }) }
        let (stream, continuation) = AsyncStream<JobEvent>.makeStream()
        for event in list where event.seq > seq { continuation.yield(event) }
        followers += 1
        continuation.onTermination = { _ in Task { await self.unfollow() } }
        if !keepsEventsOpen { continuation.finish() }
        return stream
    }

    private func unfollow() { followers -= 1 }

    func pools(for tenant: TenantID?) async -> [PoolStatus] {
        poolTenant = tenant
        return poolList
    }
    func environments(tenant: TenantID) async -> [EnvironmentStatus] { environmentLists[tenant] ?? [] }

    func environment(_ name: String, tenant: TenantID) async throws -> EnvironmentStatus {
        guard let found = environmentLists[tenant]?.first(where: { $0.id == name }) else {
            throw EngineError(.notFound, "there is no such environment")
        }
        return found
    }

    func buildEnvironment(
        for request: JobRequest, tenant: TenantID, waitingUpTo limit: Duration
    ) async throws -> EnvironmentStatus {
        let faults = JobRequestValidator.validate(request, limits: limits)
        guard faults.isEmpty else { throw EngineError.invalid(faults) }
        environmentRequests.append((request, limit))
        var status = EnvironmentStatus(
            id: "made", key: "made", state: .building, requirements: request.requirements, runtime: "docker",
            image: request.image ?? "", createdAt: Date())
        status.project = request.project
        return status
    }

    func pruneEnvironments(
        tenant: TenantID, ids: [String]?, unusedFor: Duration?
    ) async throws -> [EnvironmentStatus] {
        prunings.append((ids, unusedFor))
        return environmentLists[tenant] ?? []
    }

    func readiness() async -> Readiness {
        failure.map { Readiness(ready: false, reasons: [$0.message], containerEngine: "none") }
            ?? Readiness(ready: true, containerEngine: "docker 20.10.24")
    }
    func usage(of tenant: TenantID) async -> TenantUsage {
        var configuration = Configuration()
        configuration.tenants.defaults.cpus = 4
        configuration.tenants.defaults.running = 8
        return TenantUsage.sample(tenant, configuration)
    }
    func metricsText() async -> String { "slipway_jobs_total 3\n" }

    private func accept(
        _ requests: [JobRequest], tenant: TenantID, idempotency: IdempotencyKey?, wait: Duration?, isBatch: Bool
    ) throws -> [JobOutcome] {
        if let failure { throw failure }
        let faults = requests.enumerated().flatMap { place, request in
            JobRequestValidator.validate(request, limits: limits, prefix: isBatch ? "/jobs/\(place)" : "")
        }
        guard faults.isEmpty else { throw EngineError.invalid(faults) }
        return requests.map { request in
            submissions.append(Submission(request: request, idempotency: idempotency, wait: wait))
            let job = Job.sample(tenant: tenant, name: request.name, kind: request.task.kind)
            let outcome = ending.map { $0(job) } ?? JobOutcome(job: job)
            outcomes[job.id] = outcome
            return outcome
        }
    }

    private func find(_ id: JobID, _ tenant: TenantID) throws -> JobOutcome {
        guard let outcome = outcomes[id], outcome.job.tenant == tenant else {
            throw EngineError(.notFound, "No such job.")
        }
        return outcome
    }
}

extension Job {
    static func sample(
        tenant: TenantID = .default, name: String? = nil, kind: TaskSpec.Kind = .source, state: JobState = .queued
    ) -> Job {
        Job(
            id: JobID(), tenant: tenant, name: name, kind: kind, handler: "docker", state: state,
            createdAt: Date(timeIntervalSince1970: 1_740_830_400))
    }
}

extension TenantUsage {
    static func sample(_ tenant: TenantID, _ configuration: Configuration) -> TenantUsage {
        var usage = TenantUsage(
            tenant: tenant, limits: configuration.tenants.limits(of: tenant), unfinishedMax: 100)
        usage.running = 2
        usage.waiting = 3
        usage.cpus = 1.5
        usage.memoryBytes = 1 << 30
        usage.idleSandboxes = 1
        usage.idleMemoryBytes = 1 << 29
        return usage
    }
}

/// Keys in memory.
struct StubKeys: KeyDirectory {
    var keys: [[UInt8]: StoredKey] = [:]

    mutating func add(
        _ tenant: TenantID, _ scopes: Set<KeyScope> = [.read, .submit, .admin], expiresAt: Date? = nil,
        isRevoked: Bool = false, isSuspended: Bool = false
    ) -> String {
        let key = APIKey()
        keys[key.hash] = StoredKey(
            id: key.id, tenant: tenant, hash: key.hash, scopes: scopes, expiresAt: expiresAt, isRevoked: isRevoked,
            isSuspended: isSuspended)
        return key.text
    }

    func key(withHash hash: [UInt8]) async throws -> StoredKey? { keys[hash] }
}
