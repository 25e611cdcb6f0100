import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Runs tasks in warm, pooled, isolated sandboxes.
///
/// ```swift
/// let engine = try await Engine(configuration: .load(path: "config.yaml"))
/// try await engine.start()
/// let job = try await engine.submit(JobRequest(task: .source("def main(x): return x * 2", args: [21])))
/// let outcome = try await engine.wait(for: job.id, upTo: .seconds(30))
/// await engine.shutdown()
/// ```
///
/// An engine owns its data folder; a second one on the same folder is refused. Cancelling the Swift task that waits
/// for a job does not cancel the job.
public final class Engine: Service, Sendable {
    /// The configuration that the engine was made with; `reload` may have changed the section `pools` since.
    public let configuration: Configuration
    /// The engine's event loop; a gateway's server runs on it too.
    public let eventLoopGroup: any EventLoopGroup
    /// Runs Swift tasks on that loop: what awaits the engine on it crosses no thread.
    public let taskExecutor: any TaskExecutor
    /// Keys and tenants.
    package let store: JobStore
    let core: EngineCore
    /// The runtime of a name, for tools.
    package func runtime(_ name: String) -> (any SandboxRuntime)? { core.runtimes[name] }
    /// What requests may ask for.
    package var requestLimits: RequestLimits { core.validator.limits }
    private let closing: EngineClosing

    /// Makes an engine; `start` or `run` makes it work.
    ///
    /// - Parameters:
    ///   - configuration: What `config.yaml` says, or the defaults.
    ///   - handlers: Swift handlers for tasks of kind `handler`.
    ///   - logger: Where the engine writes its log.
    ///   - environment: The environment variables that configuration and secrets come from.
    /// - Throws: ``EngineError`` `.configuration` when the data folder is in use or a folder cannot be made, `.storage`
    ///   when the job store cannot be opened.
    public init(
        configuration: Configuration = Configuration(), handlers: [any TaskHandler] = [],
        logger: Logger = Logger(label: "slipway"),
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws {
        self.configuration = configuration
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let offload = NIOThreadPool(numberOfThreads: 2)
        offload.start()
        eventLoopGroup = group
        let executor = LoopExecutor(loop: group.next())
        taskExecutor = executor
        do {
            let parts = try await EngineAssembly(
                configuration: configuration, handlers: handlers, logger: logger, environment: environment
            ).parts(executor: executor, offload: offload)
            store = parts.store
            core = EngineCore(parts: parts)
            do {
                try await core.load()
            } catch {
                store.close()
                throw error
            }
            closing = EngineClosing(
                group: group, offload: offload, environments: parts.environments, client: parts.client)
        } catch {
            try? await group.shutdownGracefully()
            try? await offload.shutdownGracefully()
            throw error
        }
    }

    /// Takes up what an earlier run left, fills the pools and begins to run jobs; a second call changes nothing.
    public func start() async throws { try await core.start() }

    /// Serves until the surrounding service group shuts down, then drains.
    public func run() async throws {
        try await start()
        try? await gracefulShutdown()
        await shutdown()
    }

    /// Takes no more jobs, and waits up to `jobs.drain_timeout` for those that run; what is asked is answered.
    ///
    /// The engine then takes none any more: `shutdown` follows, and does not wait again.
    package func drain() async { await core.drain() }

    /// Takes no more jobs, waits up to `jobs.drain_timeout` for those that run, and stops.
    ///
    /// Jobs that still run then stay in their sandboxes: an engine that starts within `runner.redial` takes them back.
    public func shutdown() async {
        await core.stop()
        await closing.close(store: store)
        core.folders.unlock()
    }

    /// Submits a job; it is durable when this returns.
    ///
    /// - Throws: ``EngineError``: `.invalidRequest`, `.limitExceeded`, `.notAllowed` or `.notSupported` with all faults;
    ///   `.payloadTooLarge`; `.queueFull`, `.unavailable`, `.draining`, `.storageFull` when a retry may succeed.
    public func submit(
        _ request: JobRequest, tenant: TenantID = .default, idempotency: IdempotencyKey? = nil
    ) async throws -> Job {
        try await core.submit(request, tenant: tenant, idempotency: idempotency, waitingUpTo: nil).job
    }

    /// Submits a job and waits for its end, up to a limit; the job goes on when the limit passes.
    public func submit(
        _ request: JobRequest, tenant: TenantID = .default, idempotency: IdempotencyKey? = nil,
        waitingUpTo limit: Duration
    ) async throws -> JobOutcome {
        try await core.submit(request, tenant: tenant, idempotency: idempotency, waitingUpTo: limit)
    }

    /// Submits up to `jobs.batch_max` jobs, all or none.
    public func submit(
        batch: [JobRequest], tenant: TenantID = .default, idempotency: IdempotencyKey? = nil
    ) async throws -> [Job] {
        try await core.submit(batch: batch, tenant: tenant, idempotency: idempotency)
    }

    /// A job as it is now; throws `.notFound`.
    public func job(_ id: JobID, tenant: TenantID = .default) async throws -> Job {
        try await core.job(id, tenant: tenant)
    }

    /// A job with its result, when it ends within the limit; the job as it is otherwise.
    public func wait(
        for id: JobID, tenant: TenantID = .default, upTo limit: Duration
    ) async throws -> JobOutcome {
        try await core.wait(for: id, tenant: tenant, upTo: limit)
    }

    /// Jobs of a tenant, newest first.
    public func jobs(_ query: JobQuery = JobQuery(), tenant: TenantID = .default) async throws -> JobPage {
        try await core.list(query, tenant: tenant)
    }

    /// Cancels a job: its whole process tree is killed.
    ///
    /// - Returns: The job, and whether it had been cancelled before.
    /// - Throws: `.alreadyTerminal` for a job that completed or failed, `.notFound`.
    @discardableResult
    public func cancel(
        _ id: JobID, tenant: TenantID = .default
    ) async throws -> (job: Job, alreadyCancelled: Bool) {
        try await core.cancel(id, tenant: tenant)
    }

    /// Removes a job that has ended; throws `.notFinished` for others.
    public func delete(_ id: JobID, tenant: TenantID = .default) async throws {
        try await core.delete(id, tenant: tenant)
    }

    /// The result of a job that has ended; throws `.notFinished` before.
    public func result(of id: JobID, tenant: TenantID = .default) async throws -> JobOutcome {
        try await core.result(of: id, tenant: tenant)
    }

    /// The files that a job left in `$SLIPWAY_OUTPUT`, by name; throws `.notFinished` before its end.
    public func artifacts(of id: JobID, tenant: TenantID = .default) async throws -> [JobArtifact] {
        try await core.artifacts(of: id, tenant: tenant)
    }

    /// One of these files by its name; throws `.notFound` also when there is no file of this name.
    public func artifact(_ name: String, of id: JobID, tenant: TenantID = .default) async throws -> JobArtifact {
        try await core.artifact(name, of: id, tenant: tenant)
    }

    /// Opens one of these files, or a range of its bytes; what is stored is checked first.
    ///
    /// - Throws: `.notFound`, `.notFinished`, `.artifactCorrupt`.
    public func content(
        ofArtifact name: String, of id: JobID, tenant: TenantID = .default, range: Range<Int>? = nil
    ) async throws -> ArtifactContent {
        try await core.content(of: name, of: id, tenant: tenant, range: range)
    }

    /// The output of a job so far as UTF-8 text; with `tail` only so many lines from its end.
    public func logs(
        of id: JobID, tenant: TenantID = .default, stream: LogStream = .all, tail: Int? = nil
    ) async throws -> [UInt8] {
        try await core.logs(of: id, tenant: tenant, stream: stream, tail: tail)
    }

    /// The events of a job after number `seq`, those to come included; the stream ends when the job has.
    ///
    /// Each event is written as JSON when it is read: a slow reader takes no memory while the job runs. What it has not
    /// read when the job ends it gets from the store, as one who comes later does, unless the job is removed meanwhile:
    /// then the stream ends early.
    public func events(
        of id: JobID, tenant: TenantID = .default, after seq: Int = 0
    ) async throws -> AsyncStream<JobEvent> {
        try await core.events(of: id, tenant: tenant, after: seq)
    }

    /// The events of all jobs of a tenant from now on, or after a place in their stream.
    ///
    /// The stream ends when the engine stops, or when more than 10,000 events, or 8 MiB of them, wait to be read; a
    /// reader can go on with `after`. An entry without an event says that some were missed. To a reader with more than
    /// 4 MiB to read, ends of jobs come without results.
    public func events(
        _ query: TenantEventQuery, tenant: TenantID = .default
    ) async -> AsyncStream<TenantEvent> {
        await core.events(query, tenant: tenant)
    }

    /// The pools of sandboxes; with a tenant, its own sandboxes only are counted as warm and busy.
    public func pools(for tenant: TenantID? = nil) async -> [PoolStatus] { await core.pools(for: tenant) }

    /// Whether jobs can run now, and why not.
    public func readiness() async -> Readiness { await core.readiness() }

    /// Counts and gauges in the text format of Prometheus.
    public func metricsText() async -> String { await core.metricsText() }
}

/// What is released when an engine stops.
private struct EngineClosing: Sendable {
    let group: MultiThreadedEventLoopGroup
    let offload: NIOThreadPool
    let environments: EnvironmentStore?
    let client: DockerClient?

    func close(store: JobStore) async {
        await environments?.shutdown()
        await client?.settleDiscards(within: .seconds(5))
        await client?.shutdown()
        store.close()
        // The process, or its owner, is done with the engine: a pool that does not stop in order changes nothing.
        try? await offload.shutdownGracefully()
        try? await group.shutdownGracefully()
    }
}
