import Synchronization

/// A reader of the events of a job that has not ended.
///
/// While the job is there, it is no more than a place among the events that the job keeps anyway: one that does not
/// read takes no memory and holds up nobody. When the job has ended it keeps what is still to be read, up to
/// `restBytes`; with more than that it goes on with what is stored. It is filled and finished on the engine's loop, and
/// read anywhere.
final class EventFollower: Sendable {
    /// What comes next.
    enum Step: Sendable {
        /// The next events, one at least, in order.
        case events([EventRecord])
        /// Nothing more.
        case end
        /// More than is kept: the rest is in the job's journal.
        case behind
    }

    /// The most events of a step, and about the most bytes of them.
    static let stepEvents = 64
    static let stepBytes = 256 << 10
    /// What is kept of a job that has ended, for one reader.
    static let restBytes = 1 << 20

    private struct State {
        /// The index of the next event among those of the job, then in the rest.
        var place: Int
        var rest: [EventRecord] = []
        /// Whether the job is not looked at any more.
        var isOver = false
        var isBehind = false
        var waiter: CheckedContinuation<Step, Never>?

        /// What comes next where the job is not looked at any more.
        mutating func next() -> Step {
            guard place < rest.count else { return isBehind ? .behind : .end }
            let step = EventFollower.step(of: rest, from: place, to: rest.count)
            place += step.count
            if place == rest.count { (rest, place) = ([], 0) }
            return .events(step)
        }
    }

    private let state: Mutex<State>
    /// Has the loop look at the job, and at who reads it no more.
    private let asks: @Sendable () -> Void

    /// - Parameters:
    ///   - place: The index of the first event to be read.
    ///   - asks: Called when the reader waits, and when it has gone: has `fill` called on the loop, or the reader
    ///     forgotten.
    init(from place: Int, asks: @escaping @Sendable () -> Void) {
        state = Mutex(State(place: place))
        self.asks = asks
    }

    /// Whether the reader has gone, or everything it has still to read is here.
    var isOver: Bool { state.withLock { $0.isOver } }

    /// The next events, as soon as there are any; one call at a time.
    func next() async -> Step {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let step = state.withLock { state -> Step? in
                    if state.isOver { return state.next() }
                    state.waiter = continuation
                    return nil
                }
                if let step { continuation.resume(returning: step) } else { asks() }
            }
        } onCancel: {
            leave()
        }
    }

    /// Hands the reader what it waits for, if that is there; called on the loop.
    func fill(from job: ActiveJob) {
        let waiting = state.withLock { state -> (CheckedContinuation<Step, Never>, Step)? in
            guard !state.isOver, state.place < job.told, let waiter = state.waiter else { return nil }
            state.waiter = nil
            let step = Self.step(of: job.events, from: state.place, to: job.told)
            state.place += step.count
            return (waiter, .events(step))
        }
        if let (waiter, step) = waiting { waiter.resume(returning: step) }
    }

    /// Looks at the job no more: what is still to be read is kept, or left to the journal; called on the loop.
    func finish(with job: ActiveJob) {
        let waiting = state.withLock { state -> (CheckedContinuation<Step, Never>, Step)? in
            guard !state.isOver else { return nil }
            state.isOver = true
            let unread = job.events[min(state.place, job.told)..<job.told]
            let isKept = unread.reduce(0) { $0 + $1.content.sizeBytes } <= Self.restBytes
            (state.rest, state.place) = (isKept ? Array(unread) : [], 0)
            // Of a job that goes on after this engine there is no journal yet.
            state.isBehind = !isKept && job.phase == .ended
            guard let waiter = state.waiter else { return nil }
            state.waiter = nil
            return (waiter, state.next())
        }
        if let (waiter, step) = waiting { waiter.resume(returning: step) }
    }

    /// Notes that nobody reads any more.
    func leave() {
        let (wasThere, waiter) = state.withLock { state in
            defer { state = State(place: 0, isOver: true) }
            return (!state.isOver, state.waiter)
        }
        waiter?.resume(returning: .end)
        if wasThere { asks() }
    }

    private static func step(of events: [EventRecord], from start: Int, to end: Int) -> [EventRecord] {
        var (last, bytes) = (start, 0)
        while last < end, last - start < stepEvents, bytes < stepBytes {
            bytes += events[last].content.sizeBytes
            last += 1
        }
        return Array(events[start..<last])
    }
}

/// Hands out the events of a job one by one, each written as JSON only when it is asked for.
actor EventReader {
    /// Reads the events after a number of a job that has ended.
    typealias Journal = @Sendable (_ sequence: Int) async -> [EventRecord]

    private let job: JobID
    private let follower: EventFollower?
    private let journal: Journal?
    private var records: [EventRecord]
    private var position = 0
    private var last = 0
    private var isOver: Bool

    /// Reads events that are here.
    init(_ records: [EventRecord], of job: JobID) {
        (self.job, self.records) = (job, records)
        (follower, journal, isOver) = (nil, nil, true)
    }

    /// Reads the events of a job that has not ended, the last ones from its journal where it ends long before its
    /// reader.
    init(_ follower: EventFollower, of job: JobID, after sequence: Int, journal: @escaping Journal) {
        (self.job, self.follower, self.journal) = (job, follower, journal)
        (records, last, isOver) = ([], sequence, false)
    }

    deinit { follower?.leave() }

    /// The events as a stream, which ends with the job.
    nonisolated var stream: AsyncStream<JobEvent> { AsyncStream(unfolding: { await self.next() }) }

    private func next() async -> JobEvent? {
        while position == records.count {
            (records, position) = ([], 0)
            guard !isOver, let follower else { return nil }
            switch await follower.next() {
            case .events(let step):
                records = step
            case .end:
                isOver = true
            case .behind:
                isOver = true
                records = await journal?(last) ?? []
            }
        }
        defer { position += 1 }
        last = records[position].sequence
        return records[position].event(of: job)
    }
}
