import Dispatch
import Foundation
import GRDB
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The one thread that writes: it takes whatever has come in, commits it in one transaction, then answers.
///
/// While a commit waits for the disk, callers queue up for the next one; that is what makes a thousand submits a second
/// cost a few synchronous writes.
final class StoreWriter: Sendable {
    /// Gets the outcome of an operation after its commit, on the writer's thread; it must not block.
    typealias Completion = @Sendable (Result<StoreOutcome, EngineError>) -> Void

    private struct Entry: Sendable {
        let operation: StoreOperation
        let completion: Completion
    }

    private struct Inbox {
        var entries: [Entry] = []
        var closed = false
    }

    private static let momentNanoseconds: UInt64 = 50_000_000

    private let pool: DatabasePool
    private let batchMax: Int
    private let queueMax: Int
    private let isUrgent: Bool
    private let inbox = Mutex(Inbox())
    private let wake = DispatchSemaphore(value: 0)
    private let stopped = DispatchSemaphore(value: 0)
    private let errors: StoreErrors
    /// Transactions committed so far.
    let commits = Atomic<Int>(0)
    /// Payloads that were committed with their rows so far, and their bytes.
    let copies = Atomic<Int>(0)
    let copiedBytes = Atomic<Int>(0)
    /// When the last transaction was committed, in nanoseconds of the monotonic clock.
    private let committedAt = Atomic<UInt64>(0)

    /// - Parameter isUrgent: Whether the thread goes before others where it may.
    init(pool: DatabasePool, batchMax: Int, queueMax: Int, isUrgent: Bool, errors: StoreErrors) {
        self.pool = pool
        self.batchMax = max(1, batchMax)
        self.queueMax = max(1, queueMax)
        self.isUrgent = isUrgent
        self.errors = errors
    }

    /// Starts the thread.
    func start() throws {
        let opened = try pool.writeWithoutTransaction { try StoreSession($0) }
        let thread = Thread { [self] in
            if isUrgent { Self.goBeforeOthers() }
            var session = opened
            while let entries = take() { commit(entries, &session) }
            stopped.signal()
        }
        thread.name = "slipway-store"
        thread.start()
    }

    /// Takes the lowest real-time priority for the calling thread (sched(7)), where the process may.
    ///
    /// Every answer waits for this thread, which works for a fraction of a millisecond, waits for the disk, and works
    /// again: as one among others it would be kept waiting for what it took the moment before, until the scheduler's
    /// next tick. Threads that it starts do not inherit it.
    private static func goBeforeOthers() {
        #if canImport(Glibc)
            // SCHED_RESET_ON_FORK of <linux/sched.h>, which the C library declares only under _GNU_SOURCE.
            let resetOnFork: Int32 = 0x4000_0000
            var parameters = sched_param(sched_priority: sched_get_priority_min(SCHED_RR))
            // Without the privilege it stays one among others, only later at times.
            _ = sched_setscheduler(0, SCHED_RR | resetOnFork, &parameters)
        #endif
    }

    /// Hands an operation over; `completion` is called exactly once, after the commit.
    func submit(_ operation: StoreOperation, completion: @escaping Completion) {
        submit([(operation, completion)])
    }

    /// Hands operations over that belong into one transaction, in this order.
    func submit(_ operations: [(operation: StoreOperation, completion: Completion)]) {
        let refusal: EngineError? = inbox.withLock { inbox in
            if inbox.closed { return EngineError(.draining, "The job store is closed.") }
            guard inbox.entries.count < queueMax else {
                return EngineError(
                    .unavailable, "The job store has \(queueMax) changes waiting; try again later.",
                    retryAfterSeconds: 1)
            }
            if inbox.entries.isEmpty { wake.signal() }
            for (operation, completion) in operations {
                inbox.entries.append(Entry(operation: operation, completion: completion))
            }
            return nil
        }
        if let refusal { for (_, completion) in operations { completion(.failure(refusal)) } }
    }

    /// Whether changes keep coming: one was committed a moment ago.
    var isBusy: Bool {
        DispatchTime.now().uptimeNanoseconds &- committedAt.load(ordering: .relaxed) < Self.momentNanoseconds
    }

    /// Refuses further operations, completes those that wait and ends the thread.
    func close() {
        let first = inbox.withLock { inbox in
            defer { inbox.closed = true }
            return !inbox.closed
        }
        guard first else { return }
        wake.signal()
        stopped.wait()
    }

    /// The next batch, or nil when the writer is closed and nothing waits.
    private func take() -> [Entry]? {
        while true {
            let (batch, closed): ([Entry], Bool) = inbox.withLock { inbox in
                if inbox.entries.count <= batchMax {
                    let batch = inbox.entries
                    inbox.entries = []
                    return (batch, inbox.closed)
                }
                let batch = Array(inbox.entries.prefix(batchMax))
                inbox.entries.removeFirst(batchMax)
                return (batch, inbox.closed)
            }
            if !batch.isEmpty { return batch }
            if closed { return nil }
            wake.wait()
        }
    }

    private func commit(_ entries: [Entry], _ session: inout StoreSession) {
        do {
            let outcomes = try transact(entries, &session)
            for (entry, outcome) in zip(entries, outcomes) { entry.completion(.success(outcome)) }
        } catch {
            let failure = errors.translate(error)
            // A lock held by someone else would make every entry wait again; anything else may be one entry's own.
            guard entries.count > 1, failure.code != .unavailable else {
                for entry in entries { entry.completion(.failure(failure)) }
                return
            }
            for entry in entries { commit([entry], &session) }
        }
    }

    private func transact(_ entries: [Entry], _ session: inout StoreSession) throws -> [StoreOutcome] {
        try pool.writeWithoutTransaction { db in
            try db.change("BEGIN IMMEDIATE")
            do {
                let outcomes = try entries.map { try session.perform($0.operation, on: db) }
                try db.change("COMMIT")
                count(entries)
                return outcomes
            } catch {
                // SQLite has rolled back by itself after some errors; GRDB looks first.
                try db.rollback()
                throw error
            }
        }
    }

    private func count(_ entries: [Entry]) {
        commits.add(1, ordering: .relaxed)
        var isOurs = true
        for entry in entries {
            if case .settle = entry.operation { continue }
            isOurs = false
            let sizes = entry.operation.copySizes
            copies.add(sizes.count, ordering: .relaxed)
            copiedBytes.add(sizes.reduce(0, +), ordering: .relaxed)
        }
        // What the flusher itself commits is no reason for it to wait.
        if !isOurs { committedAt.store(DispatchTime.now().uptimeNanoseconds, ordering: .relaxed) }
    }
}

extension StoreOperation {
    /// The encoded sizes of the payloads that rows hold until they are files.
    fileprivate var copySizes: [Int] {
        switch self {
        case .insert(let rows, _): rows.compactMap { $0.input?.inline?.count }
        case .finish(let finish): [finish.result, finish.journal].compactMap { $0?.inline?.count }
        default: []
        }
    }
}
