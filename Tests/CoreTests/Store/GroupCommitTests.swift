import Dispatch
import Foundation
import SlipwayCore
import Synchronization
import Testing

@Suite("Group commit")
struct GroupCommitTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture(commitBatchMax: 128) }

    /// Hands operations over while the writer is held up, so that they wait together; returns their outcomes.
    private func together(_ operations: [StoreOperation], _ store: JobStore) -> [Result<StoreOutcome, EngineError>] {
        let held = DispatchSemaphore(value: 0)
        let release = DispatchSemaphore(value: 0)
        store.submit(.setMeta(key: "x", value: "y")) { _ in
            held.signal()
            release.wait()
        }
        held.wait()
        let slots = Mutex([Result<StoreOutcome, EngineError>?](repeating: nil, count: operations.count))
        let group = DispatchGroup()
        let keeper = Keeper(slots: slots)
        for (index, operation) in operations.enumerated() {
            group.enter()
            store.submit(operation) { outcome in
                keeper.slots.withLock { slots in
                    #expect(slots[index] == nil)
                    slots[index] = outcome
                }
                group.leave()
            }
        }
        release.signal()
        group.wait()
        return keeper.slots.withLock { $0.compactMap { $0 } }
    }

    /// The scheduling policy of the thread that commits.
    private func policy(isUrgent: Bool) throws -> Int32 {
        fixture.options.isUrgent = isUrgent
        return onWriter(try fixture.open())
    }

    private func onWriter(_ store: JobStore) -> Int32 {
        let answer = Answer()
        store.submit(.setMeta(key: "policy", value: "asked")) { _ in answer.give(sched_getscheduler(0)) }
        return answer.wait()
    }

    /// What another thread has to tell.
    private final class Answer: Sendable {
        private let value = Mutex<Int32>(-1)
        private let given = DispatchSemaphore(value: 0)

        func give(_ told: Int32) {
            value.withLock { $0 = told }
            given.signal()
        }

        func wait() -> Int32 {
            given.wait()
            return value.withLock { $0 }
        }
    }

    @Test("the thread that commits goes before others where it may, and those that it starts do not")
    func urgent() throws {
        #expect(try policy(isUrgent: false) == SCHED_OTHER)
        // Asked of a thread of its own, which ends.
        let answer = Answer()
        Thread {
            var parameters = sched_param(sched_priority: sched_get_priority_min(SCHED_RR))
            answer.give(sched_setscheduler(0, SCHED_RR, &parameters))
        }.start()
        let resetOnFork: Int32 = 0x4000_0000
        #expect(try policy(isUrgent: true) == (answer.wait() == 0 ? SCHED_RR | resetOnFork : SCHED_OTHER))
    }

    private final class Keeper: Sendable {
        let slots: Mutex<[Result<StoreOutcome, EngineError>?]>

        init(slots: consuming sending Mutex<[Result<StoreOutcome, EngineError>?]>) { self.slots = slots }
    }

    @Test("changes that wait together share one commit")
    func oneCommit() throws {
        let store = try fixture.open()
        let before = store.commits
        let rows = (0..<100).map { _ in StoreSamples.row() }
        let outcomes = together(rows.map { .insert([$0], idempotency: nil) }, store)
        #expect(outcomes.count == 100)
        #expect(try outcomes.allSatisfy { try $0.get() == .done })
        #expect(store.commits - before == 2)
        #expect(try store.unfinishedBlocking().map(\.job.id) == rows.map(\.job.id))
    }

    @Test("what is not to be held of unfinished jobs is left out as they are read")
    func leftOut() throws {
        let store = try fixture.open()
        let rows = (0..<10).map { _ in StoreSamples.row() }
        for outcome in together(rows.map { .insert([$0], idempotency: nil) }, store) { _ = try outcome.get() }
        var seen = 0
        let found = try store.unfinishedBlocking { row in
            seen += 1
            row.options = []
        }
        #expect(seen == 10 && found.map(\.job.id) == rows.map(\.job.id))
        #expect(found.allSatisfy { $0.options.isEmpty })
    }

    @Test("more than one batch takes more than one commit")
    func batches() throws {
        let store = try fixture.open()
        let before = store.commits
        let outcomes = together((0..<300).map { _ in .insert([StoreSamples.row()], idempotency: nil) }, store)
        #expect(outcomes.count == 300)
        #expect(store.commits - before == 4)
        #expect(try store.unfinishedBlocking().count == 300)
    }

    @Test("a change that fails takes no other with it, and leaves nothing of itself")
    func isolation() throws {
        let store = try fixture.open()
        let payload = try PayloadCodec.pack([1])
        let taken = StoreSamples.row()
        try store.performBlocking(.insert([taken], idempotency: nil))
        let rows = (0..<10).map { _ in StoreSamples.row(labels: ["a": "b"], input: payload) }
        var operations: [StoreOperation] = rows.map { .insert([$0], idempotency: nil) }
        let doomed = StoreSamples.row(input: payload)
        let key = IdempotencyClaim(key: "k", requestHash: [1])
        operations.insert(.insert([doomed, taken], idempotency: key), at: 5)
        let outcomes = together(operations, store)
        for (index, outcome) in outcomes.enumerated() {
            if index == 5 {
                #expect(throws: EngineError.self) { try outcome.get() }
            } else {
                #expect(try outcome.get() == .done)
            }
        }
        #expect(try store.rowBlocking(doomed.job.id) == nil)
        #expect(try store.unfinishedBlocking().count == 11)
        // The failed change's key is free.
        #expect(try store.performBlocking(.insert([doomed], idempotency: key)) == .done)
        #expect(try store.integrityProblemsBlocking().isEmpty)
    }

    @Test("64 callers at once: each job runs its course, and commits are shared")
    func manyCallers() async throws {
        let store = try fixture.open()
        let payload = try PayloadCodec.pack(PayloadSamples.prose(1000))
        let before = store.commits
        let ids = try await withThrowingTaskGroup(of: [JobID].self) { group in
            for _ in 0..<64 {
                group.addTask { try await Self.runJobs(10, payload, store) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(ids).count == 640)
        #expect(store.commits - before < 640 * 3)
        #expect(try await store.countByState(tenant: .default) == [.completed: 640])
        #expect(try await store.pendingCopies() == 1280)
    }

    /// Submits and ends jobs one after the other.
    private static func runJobs(_ count: Int, _ payload: PackedPayload, _ store: JobStore) async throws -> [JobID] {
        var ids: [JobID] = []
        for _ in 0..<count {
            let row = StoreSamples.row(claimed: true, input: payload)
            #expect(try await store.perform(.insert([row], idempotency: nil)) == .done)
            let end = StoreSamples.finish(row.job.id, result: payload)
            #expect(try await store.perform(end) == .applied(true))
            #expect(try await store.perform(end) == .applied(false))
            #expect(try await store.row(row.job.id)?.job.state == .completed)
            ids.append(row.job.id)
        }
        return ids
    }

    @Test("beyond its bound the queue refuses at once")
    func bounded() throws {
        fixture.options.queueMax = 50
        let store = try fixture.open()
        let outcomes = together((0..<60).map { _ in .insert([StoreSamples.row()], idempotency: nil) }, store)
        let refused = outcomes.compactMap { outcome -> EngineError? in
            if case .failure(let error) = outcome { error } else { nil }
        }
        #expect(refused.count == 10)
        #expect(refused.allSatisfy { $0.code == .unavailable && $0.retryAfterSeconds != nil })
        #expect(try store.unfinishedBlocking().count == 50)
    }
}
