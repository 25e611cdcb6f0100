import Foundation
import NIOCore

/// A job that has not ended, as the engine knows it; confined to the engine's loop.
final class ActiveJob {
    /// Where the job is between the states that are visible outside.
    enum Phase {
        /// An earlier process left it; whether its sandbox still runs it is being found out.
        case recovering
        /// Its image or environment is looked for.
        case preparing
        /// It waits for a sandbox.
        case waiting
        /// Its retry waits for the back-off to pass.
        case backingOff
        /// A sandbox is its own; the claim is being committed.
        case claiming
        /// START was sent.
        case running
        /// It ended; the end is being committed.
        case finishing
        /// The end is durable.
        case ended
    }

    /// The input in the form that travels to the runner.
    struct Input {
        var bytes: [UInt8]
        var isZlib: Bool
    }

    /// Inputs above this size are read again from the store when they are needed.
    static let inputKeptBytes = 65_536
    /// The most bytes of the events of one attempt; a runner sends no more (`docs/runner.md`).
    static let eventsLimitBytes = 1_048_576
    /// The most bytes of what the task emits in all attempts together.
    static let emittedLimitBytes = 8 << 20

    /// What readers see.
    var job: Job
    /// The request with its defaults.
    let plan: JobPlan
    /// Tries in all.
    let maxAttempts: Int
    /// The wait before the second try in seconds.
    let backoffSeconds: Double
    /// Jobs of higher priority go first.
    let priority: Int
    /// Where it is.
    var phase = Phase.preparing
    /// Whether it has a place among its tenant's jobs without being one of the engine's jobs yet.
    var isReserved = false
    /// What it takes of the memory that its tenant's unfinished jobs may hold.
    var heldBytes = 0
    /// Whether its row is in the store, or on its way there with the claim.
    var isInserted = false
    /// Changes of its row that wait: for the row itself, as long as its large input is not on disk, or for its return to
    /// the queue to be stored; nil otherwise.
    var waitingChanges: [@Sendable (isolated EngineCore) -> Void]?
    /// Whether START of the current attempt left: before, its runner knows nothing of it.
    var isSent = false
    /// Whether an earlier process of this engine sent it.
    var isTakenBack = false
    /// The environment that it waits for a sandbox with.
    var environment: String?
    /// Whether the store knows that the attempt runs.
    var isMarkedRunning = false
    /// Whether the submit had an idempotency key: its claim is then durable before START.
    var isKeyed = false
    /// The idempotency key that its row takes with it.
    var keyClaim: IdempotencyClaim?
    /// What the store said instead of taking the row: the key had been used before.
    var refusal: StoreOutcome?
    /// Whether the submitter waits for the end, and is told nothing before.
    var isAwaited = false
    /// Whether the job's first commit is held back, so that it may be the commit of its end.
    var isHeld = false
    /// The attempt that runs while its claim is held back.
    var heldClaim: TaskReference?
    /// The input, while it is kept in memory.
    var input: Input?
    /// How many bytes of it count among those of jobs that wait.
    var inputKept = 0
    /// The input as it rests; nil before a large one is packed.
    var storedInput: StoredArtifact?
    /// A large input that is still to be packed, which is done while its task already runs.
    var unpackedInput: [UInt8]?
    /// The attempt under way.
    var reference: TaskReference?
    /// Its place in its sandbox.
    var slot = 0
    /// Its place among its tenant's jobs, in the order in which they came or came back.
    var turn: UInt64 = 0
    /// Its request in the pool's queue.
    var request: RequestID?
    /// The class of sandbox that it waits for, or runs in.
    var sandboxClass: SandboxClass?
    /// Where it will ask for a sandbox, as long as its tenant's limits keep it back.
    var heldPlace: EngineCore.Place?
    /// Whether the next claim repeats the attempt, because its START never left.
    var repeatsAttempt = false
    /// Whether it came back into the queue without an attempt that counts, which followers were told.
    var wasReturned = false
    /// How often START did not reach a runner, which does not count as an attempt.
    var unstartedReturns = 0
    /// The sandboxes that ended before they had begun with the attempt.
    var sandboxesLost = 0
    /// Parts of a long result.
    var resultParts: [UInt8] = []
    /// The files that its task left, while they come in.
    var outputs: OutputIntake?
    /// Whether its deadline was put off for them once.
    var hasMoreTime = false
    /// Everything that happened to it; the output of early attempts may be left out.
    var events: [EventRecord] = []
    /// About the bytes of them.
    var keptBytes = 0
    /// The output of attempts that are over, and where that of the current one begins.
    var earlierOutputs: [AttemptOutput] = []
    var outputBegin = 0
    /// The number of the first of them.
    private var firstSequence = 1
    /// Bytes of output seen for each stream, to skip what a reconnected supervisor repeats.
    var logOffsets: [LogStream: Int] = [:]
    /// Bytes of output of the attempt that were kept, by stream, and of its events.
    var logBytes: [LogStream: Int] = [:]
    var eventBytes = 0
    /// Bytes of what its task emitted, in all attempts.
    var emittedBytes = 0
    /// The last event number of the runner that was taken.
    var runnerSequence = 0
    /// Text of each stream that ends within a character.
    var assemblers: [LogStream: TextAssembler] = [:]
    /// Output that is gathered into fewer events, once there are very many.
    var gathered: [LogStream: String] = [:]
    /// Followers of its events.
    var followers: [Int: EventFollower] = [:]
    /// The followers of all jobs of its tenant, once there are any.
    var feed: TenantFeed?
    /// How many of its events were handed to followers.
    private(set) var told = 0
    /// Delivered when the job's row is durable.
    let committed = Signal<Void>()
    /// Delivered when the job's end is durable.
    let ended = Signal<JobOutcome>()
    /// When it was submitted, claimed and handed to the runner.
    var submittedAt: NIODeadline
    var claimedAt: NIODeadline?
    var startedAt: NIODeadline?
    /// When it is given up while it waits.
    var queueDeadline: NIODeadline
    /// When the host ends it although the runner should have.
    var hostDeadline: NIODeadline?
    /// What waits for its image.
    var imageTask: Task<ResolvedImage, any Error>?
    /// The task that runs it, for Swift handlers.
    var directTask: Task<Void, Never>?

    init(
        job: Job, plan: JobPlan, maxAttempts: Int, backoffSeconds: Double, priority: Int, now: NIODeadline,
        queueSeconds: Double
    ) {
        self.job = job
        self.plan = plan
        self.maxAttempts = maxAttempts
        self.backoffSeconds = backoffSeconds
        self.priority = priority
        submittedAt = now
        queueDeadline = now + .nanoseconds(Int64(min(queueSeconds, 1e9) * 1e9))
    }

    /// Has the events begin at a number that an earlier process of the engine cannot have come to, since that is lost.
    ///
    /// Followers who come back with a number of that process then get all of them again rather than miss some. At most
    /// one event for each microsecond of the job's life is taken for granted.
    func beginAnew() {
        let microseconds = Date().timeIntervalSince(job.createdAt) * 1_000_000
        firstSequence = Int(min(max(microseconds, 1_000_000), 1e15))
    }

    /// Notes an event and hands it to the followers as soon as it holds.
    func emit(_ content: EventContent, at time: Date = Date()) {
        events.append(EventRecord(sequence: firstSequence + events.count, time: time, content: content))
        keptBytes += content.sizeBytes
        tell(nil)
    }

    /// Hands events to the followers: none before the job is durable, and its end not before that is.
    ///
    /// - Parameter outcome: The end, once it is durable.
    func tell(_ outcome: JobOutcome?) {
        guard committed.isSet else { return }
        let last = outcome == nil && events.last?.isEnd == true ? events.count - 1 : events.count
        guard told < last else { return }
        let fresh = told..<last
        told = last
        for follower in followers.values { follower.fill(from: self) }
        guard let feed else { return }
        for record in events[fresh] {
            feed.take(record.event(of: job.id), labels: job.labels, outcome: record.isEnd ? outcome : nil)
        }
    }

    /// The index of the first event after a number, among those that were told; their end where there is none.
    func place(after sequence: Int) -> Int { min(max(0, max(0, sequence) - firstSequence + 1), told) }

    /// Has the followers go on without the job.
    func endFollowers() {
        for follower in followers.values { follower.finish(with: self) }
        followers = [:]
    }

    /// Notes that the job is durable: from now on its followers are told.
    func accept() {
        committed.succeed(())
        tell(nil)
    }

    /// Whether something was said that cannot be told from the job's row.
    var hasJournal: Bool {
        // Numbers that were handed out begin where the next process would not have them begin.
        attemptCount > 1 || firstSequence > 1 || wasReturned
            || events.contains { record in
                if case .update(_, _, nil, _) = record.content { false } else { true }
            }
    }

    private var attemptCount: Int { job.attempt }
}
