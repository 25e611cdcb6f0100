import SlipwayCore
import Testing

@Suite("Job store transitions")
struct JobStoreTransitionTests {
    // A property of the suite, so that it outlives each test.
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    /// Brings a new job into a state and returns it.
    private func job(in state: JobState, _ store: JobStore) throws -> JobID {
        let row = StoreSamples.row(maxAttempts: 2)
        let id = row.job.id
        try store.performBlocking(.insert([row], idempotency: nil))
        if state == .queued { return id }
        try store.performBlocking(StoreSamples.claim(id))
        if state == .starting { return id }
        try store.performBlocking(StoreSamples.run(id))
        if state != .running { try store.performBlocking(StoreSamples.finish(id, 1, state)) }
        return id
    }

    private func operation(_ step: JobTransition, _ id: JobID, _ attempt: Int) -> StoreOperation {
        switch step {
        case .claim: StoreSamples.claim(id, attempt)
        case .run: StoreSamples.run(id, attempt)
        case .finish(let state): StoreSamples.finish(id, attempt, state)
        case .retry: StoreSamples.requeue(id, attempt, same: false)
        case .giveBack: StoreSamples.requeue(id, attempt, same: true)
        }
    }

    @Test("the store takes every step of the table and no other", arguments: JobState.allCases)
    func allPairs(_ state: JobState) throws {
        let store = try fixture.open()
        for step in JobTransition.all {
            let id = try job(in: state, store)
            let before = try #require(try store.rowBlocking(id))
            #expect(before.job.state == state)
            let expected = step.apply(to: before.position, maxAttempts: 2)
            let attempt = step == .claim ? max(1, before.job.attempt) : before.job.attempt
            let outcome = try store.performBlocking(operation(step, id, attempt))
            let applied = outcome == .applied(true) || outcome == .changed(1)
            #expect(applied == (expected != nil), "\(state) by \(step)")
            let after = try #require(try store.rowBlocking(id))
            #expect(after.position == (expected ?? before.position), "\(state) by \(step)")
        }
    }

    @Test("another attempt than the row's changes nothing", arguments: [JobState.queued, .starting, .running])
    func fencing(_ state: JobState) throws {
        let store = try fixture.open()
        let id = try job(in: state, store)
        for step in JobTransition.all {
            for attempt in [2, 3] {
                let outcome = try store.performBlocking(operation(step, id, attempt))
                #expect(outcome == .applied(false) || outcome == .changed(0), "\(step)")
            }
        }
        #expect(try store.rowBlocking(id)?.job.state == state)
    }

    @Test("a job whose first claim was never stored ends as its first attempt")
    func unclaimed() throws {
        let store = try fixture.open()
        let id = try job(in: .queued, store)
        #expect(try store.performBlocking(StoreSamples.finish(id, 2, .cancelled)) == .applied(false))
        #expect(try store.performBlocking(StoreSamples.finish(id, 1, .cancelled)) == .applied(true))
        #expect(try store.rowBlocking(id)?.job.state == .cancelled)
    }

    @Test("a retry has another end of its time in the queue, where one is given")
    func queueDeadline() throws {
        let store = try fixture.open()
        let id = try job(in: .running, store)
        let attempt = JobAttempt(id: id, attempt: 1)
        try store.performBlocking(
            .requeue(attempt, notBeforeMilliseconds: nil, queueDeadlineMilliseconds: 4711, sameAttempt: false))
        #expect(try store.rowBlocking(id)?.queueDeadlineMilliseconds == 4711)
        try store.performBlocking(StoreSamples.claim(id, 2))
        try store.performBlocking(StoreSamples.requeue(id, 2, same: true))
        #expect(try store.rowBlocking(id)?.queueDeadlineMilliseconds == 4711)
    }

    @Test("a retry clears the claim, waits and stops at the last attempt")
    func retry() throws {
        let store = try fixture.open()
        let id = try job(in: .running, store)
        #expect(try store.performBlocking(StoreSamples.requeue(id, same: false)) == .applied(true))
        let row = try #require(try store.rowBlocking(id))
        #expect(row.position == .init(.queued, attempt: 2))
        #expect(row.nonce == nil && row.job.sandbox == nil && row.notBeforeMilliseconds == 5)
        #expect(try store.performBlocking(StoreSamples.claim(id, 1)) == .applied(false))
        #expect(try store.performBlocking(StoreSamples.claim(id, 2)) == .applied(true))
        #expect(try store.performBlocking(StoreSamples.requeue(id, 2, same: true)) == .applied(true))
        #expect(try store.rowBlocking(id)?.position == .init(.queued, attempt: 2))
        #expect(try store.performBlocking(StoreSamples.claim(id, 2)) == .applied(true))
        #expect(try store.performBlocking(StoreSamples.requeue(id, 2, same: false)) == .applied(false))
    }

    @Test("a wish to cancel is noted while the job has not ended")
    func cancelRequest() throws {
        let store = try fixture.open()
        let id = try job(in: .running, store)
        #expect(try store.performBlocking(.requestCancel(id)) == .applied(true))
        #expect(try store.rowBlocking(id)?.job.cancelRequested == true)
        try store.performBlocking(StoreSamples.finish(id, 1, .cancelled))
        #expect(try store.performBlocking(.requestCancel(id)) == .applied(false))
    }

    @Test("of a cancel, a completion, a retry and an error at once, exactly one wins")
    func races() async throws {
        let store = try fixture.open()
        for _ in 0..<100 {
            let id = try job(in: .running, store)
            let rivals: [StoreOperation] = [
                StoreSamples.finish(id, 1, .cancelled), StoreSamples.finish(id, 1, .completed),
                StoreSamples.requeue(id, same: false), StoreSamples.finish(id, 1, .error),
            ].shuffled()
            let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
                for rival in rivals { group.addTask { try await store.perform(rival) == .applied(true) } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wins == 1)
        }
    }
}
