import Foundation
import Logging
import NIOCore
import NIOPosix

/// The engine's state and decisions, confined to one event loop.
///
/// The pure machines decide (`PoolMachine`, `JobState`); this actor performs what they decide: it talks to the
/// runtimes, to the supervisors and to the job store. It runs on the loop that the sandboxes' channels use, so a
/// warm job crosses no thread but the store's writer.
package actor EngineCore {
    nonisolated let executor: LoopExecutor
    /// The loop, as the executor of everything here.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// What holds now: the section `pools` may be another one than at the start.
    var configuration: Configuration
    let store: JobStore
    let artifacts: ArtifactStore
    let runtimes: [String: any SandboxRuntime]
    let defaultRuntime: String
    let environments: EnvironmentStore?
    let handlers: [String: any TaskHandler]
    let secrets: SecretDirectory
    let validator: RequestChecker
    let logger: Logger
    let folders: EngineFolders
    let offload: NIOThreadPool
    /// The driver's own tool; nil where there is none.
    let nvidia: NvidiaSMI?
    /// Keeps jobs that share a device to their memory; nil where the operator runs no such service.
    let mps: MPSService?

    /// Jobs that have not ended.
    var jobs: [JobID: ActiveJob] = [:]
    /// How many of them each tenant has, and what they hold of memory.
    var jobCounts: [TenantID: Int] = [:]
    var jobBytes: [TenantID: Int] = [:]
    /// Jobs that wait in the pool, by their place.
    var requests: [RequestID: ActiveJob] = [:]
    var nextRequest: UInt64 = 1
    /// The place of the next job that is submitted, or put back, among those that wait for a sandbox.
    var nextTurn: UInt64 = 1
    var nextFollower = 0
    /// How many callers wait for the end of a job.
    var waits = 0
    /// Followers of all jobs of a tenant; the names of their places begin with the epoch of this run.
    var feeds: [TenantID: TenantFeed] = [:]
    let feedEpoch = String(UInt64.random(in: 0 ... .max), radix: 36)
    var pool: PoolMachine
    var sandboxes: [SandboxID: Sandbox] = [:]
    /// Sandboxes that the pool has ordered and whose start has not begun: one that it gives up by then is not made.
    var ordered: Set<SandboxID> = []
    var userIDs: UserIDAllocator
    var groups: [TenantID: Int] = [:]
    var groupLookups: [TenantID: Task<Int, any Error>] = [:]
    var lastGroupLookup: Task<Int, any Error>?
    var images = ImageCache()
    /// The classes that are declared to the pool.
    var declared: Set<SandboxClass> = []
    /// Why sandboxes did not start, for the operator.
    var failureWords: FailureWords
    /// Modules of declared classes that their last stem cell could not import.
    var preloadFaults: [SandboxClass: [RunnerMessage.PreloadError]] = [:]
    /// Images for which the runner was compiled, or is to be.
    var compiledFor: Set<String> = []
    /// Encoded plans of recent jobs.
    var plans = PlanCache()
    /// Work that outlives a call: starts, removals, preparations.
    var work: [UInt64: Task<Void, Never>] = [:]
    var nextWork: UInt64 = 0
    var poolTimer: Scheduled<Void>?
    var poolTimerAt = Double.infinity
    /// Idempotency keys whose first request is being committed.
    var keysInFlight: Set<String> = []
    var isStarted = false
    /// What an earlier process left, from the load of the store until it is taken up.
    var inheritance: Inheritance?
    /// Sandboxes that it left and that are not known to be gone.
    var leftovers: [SandboxRecord] = []
    /// Whether the jobs of an earlier run have been taken up; none is accepted before.
    var isRecovered = false
    /// Delivered when they have been.
    let recovered = Signal<Void>()
    var isDraining = false
    /// Whether the time of those that ran is over: nobody is kept waiting for a job any more.
    var isDrained = false
    /// Until when jobs that run are waited for, once no more are taken.
    var drainDeadline: NIODeadline?
    /// Bytes of the inputs that are kept in memory for jobs that wait.
    var inputsKept = 0
    /// Results for which the disk has no room at present.
    var waitingResults = WaitingResults()
    /// Sandboxes that an ending engine would have removed, were there not results in them that it has yet to store.
    var sparedSandboxes: Set<SandboxID> = []
    /// Whether the engine removes its sandboxes and ends.
    var isEnding = false
    /// Whether the disk of the job store or of the artifacts has less room than `data.min_free`.
    var isDiskLow = false
    /// Whether the disk is being asked at this moment.
    var isAskingDisk = false
    var isStopped = false
    /// Why the last question to each runtime failed; nil for one that answered.
    var runtimeFaults: [String: String] = [:]
    /// Runtimes that are being asked at this moment.
    var runtimeChecks: Set<String> = []
    /// What the watch does when.
    var watchRounds = WatchRounds()
    /// When a busy sandbox may next be moved to other processors, by the pool's clock.
    var nextPinMove = 0.0
    /// Why the store does not take writes at present.
    var storeFault: EngineError?
    var counters = EngineCounters()
    /// What the jobs of tenants with limits take.
    var tenantLedger: TenantLedger
    /// How large the machine is that runs the sandboxes, once it is known.
    var hostSize: HostSize?
    /// The devices that jobs may ask for.
    var gpus: [GPUDevice] = []

    init(parts: EngineParts) {
        executor = parts.executor
        configuration = parts.configuration
        store = parts.store
        artifacts = parts.artifacts
        runtimes = parts.runtimes
        defaultRuntime = parts.defaultRuntime
        environments = parts.environments
        handlers = parts.handlers
        secrets = parts.secrets
        validator = parts.validator
        logger = parts.logger
        folders = parts.folders
        failureWords = FailureWords(
            HostPaths([folders.data.path, folders.artifacts.path, folders.sandboxes.path]))
        offload = parts.offload
        nvidia = parts.nvidia
        mps = parts.mps
        var pool = PoolMachine(capacity: nil, policy: parts.policy)
        pool.undeclaredMax = parts.configuration.pools.undeclaredMax
        self.pool = pool
        let tenants = parts.configuration.tenants
        tenantLedger = TenantLedger { tenants.limits(of: $0) }
        userIDs = UserIDAllocator(range: parts.configuration.sandbox.userRange)
    }

    var loop: any EventLoop { executor.loop }

    /// Runs work that outlives the call that began it; it is cancelled when the engine stops.
    func spawn(_ body: @escaping @Sendable (isolated EngineCore) async -> Void) {
        let number = nextWork
        nextWork += 1
        work[number] = Task(executorPreference: executor) {
            await body(self)
            await self.ended(work: number)
        }
    }

    private func ended(work number: UInt64) { work[number] = nil }

    /// Lets connections and sandboxes be served between two parts of long work; who only yields goes on before them.
    ///
    /// Threads that end with the engine take nobody's turn.
    func letOthersGo() async { _ = try? await offload.runIfActive {} }

    /// Does a part of a job's end on another thread; an engine that stops waits for it: what has ended is to be stored.
    nonisolated func finishing<T: Sendable>(_ body: @escaping @Sendable (NIOThreadPool) async throws -> T) async throws
        -> T
    {
        let threads = offload
        return try await Task { try await body(threads) }.value
    }

    /// Commits an operation and continues here when it is durable or has failed.
    func commit(
        _ operation: StoreOperation,
        then next: @escaping @Sendable (isolated EngineCore, Result<StoreOutcome, EngineError>) -> Void
    ) {
        let loop = executor.loop
        store.submit(operation) { result in
            loop.execute { self.assumeIsolated { next($0, result) } }
        }
    }

    /// Commits two changes in one transaction, in this order; where it cannot be had each counts for itself.
    func commit(
        _ first: StoreOperation, _ second: StoreOperation,
        then next:
            @escaping @Sendable (
                isolated EngineCore, Result<StoreOutcome, EngineError>, Result<StoreOutcome, EngineError>
            ) -> Void
    ) {
        let loop = executor.loop
        store.submit(first, second) { one, two in
            loop.execute { self.assumeIsolated { next($0, one, two) } }
        }
    }

    /// Monotonic seconds for the pool's clock.
    var poolNow: Double { Double(NIODeadline.now().uptimeNanoseconds) * 1e-9 }
}

/// What an engine is put together from.
struct EngineParts {
    var executor: LoopExecutor
    var configuration: Configuration
    var store: JobStore
    var artifacts: ArtifactStore
    var runtimes: [String: any SandboxRuntime]
    var defaultRuntime: String
    var environments: EnvironmentStore?
    var client: DockerClient?
    var handlers: [String: any TaskHandler]
    var secrets: SecretDirectory
    var validator: RequestChecker
    var policy: @Sendable (SandboxClass) -> PoolRules
    var logger: Logger
    var folders: EngineFolders
    var offload: NIOThreadPool
    var nvidia: NvidiaSMI?
    var mps: MPSService?
}

/// Counts since the start, for metrics.
struct EngineCounters: Sendable {
    var submitted = 0
    var completed = 0
    var failed = 0
    var cancelled = 0
    var retried = 0
    var lost = 0
    var violations = 0
    /// Processor time of tasks, by the kernel's account.
    var cpuSeconds = 0.0
    var starts: [Job.Start: Int] = [:]
}
