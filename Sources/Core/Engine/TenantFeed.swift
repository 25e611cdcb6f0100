import Foundation
import Synchronization

/// The events of all jobs of one tenant, for followers; confined to the engine's loop.
///
/// Nothing is kept before the first follower comes. From then on the latest events stay for followers that lost their
/// connection, until nobody has followed for a while.
final class TenantFeed {
    /// Larger results are left out of events.
    static let resultBytes = 65_536
    /// Events kept for those who come back, and their bytes.
    static let keptEvents = 10_000
    static let keptBytes = 8 << 20
    /// Events that wait for a slow follower, and their bytes, those that it missed not counted; more end its stream,
    /// and it can come back.
    static let followerEvents = 10_000
    static let followerBytes = 8 << 20
    /// With so many bytes unread it is told no results, which it can ask for.
    static let resultsUnreadBytes = 4 << 20
    /// How long events are kept without a follower.
    static let idleSeconds: Int64 = 60

    private struct Entry {
        let number: Int
        let labels: [String: String]
        let event: JobEvent
        let outcome: JobOutcome?
        /// About the bytes of the event, and of the result that comes with it.
        let eventBytes: Int
        let resultBytes: Int

        var bytes: Int { eventBytes + resultBytes }

        /// Whether its job has a label with this very value, byte for byte as in lists of jobs.
        func has(_ key: String, _ value: String) -> Bool {
            labels[key]?.utf8.elementsEqual(value.utf8) ?? false
        }
    }

    private struct Follower {
        let query: TenantEventQuery
        let continuation: AsyncStream<Told>.Continuation
        let unread: UnreadBytes
    }

    /// An event on its way to a follower.
    fileprivate struct Told: Sendable {
        let event: TenantEvent
        let bytes: Int
    }

    /// The bytes of what waits for a follower.
    fileprivate final class UnreadBytes: Sendable {
        private let value = Atomic(0)

        var count: Int { value.load(ordering: .relaxed) }
        func add(_ bytes: Int) { value.add(bytes, ordering: .relaxed) }
    }

    /// Takes what waits for a follower, and counts it no more.
    private actor Reader {
        private var iterator: AsyncStream<Told>.Iterator
        private let unread: UnreadBytes

        init(_ stream: AsyncStream<Told>, _ unread: UnreadBytes) {
            iterator = stream.makeAsyncIterator()
            self.unread = unread
        }

        func next() async -> TenantEvent? {
            var copy = iterator
            let told = await copy.next(isolation: self)
            iterator = copy
            guard let told else { return nil }
            unread.add(-told.bytes)
            return told.event
        }
    }

    private let epoch: String
    private var entries: [Entry] = []
    /// The index of the oldest entry that is kept; those before it are removed now and then.
    private var first = 0
    private var bytes = 0
    private var nextNumber = 1
    private var followers: [Int: Follower] = [:]

    init(epoch: String) { self.epoch = epoch }

    /// Whether anybody follows now.
    var isFollowed: Bool { !followers.isEmpty }
    /// How many follow now.
    var followerCount: Int { followers.count }

    /// Takes an event and hands it to those who want it.
    func take(_ event: JobEvent, labels: [String: String], outcome: JobOutcome?) {
        let small = outcome.flatMap { ($0.result?.bytes.count ?? 0) <= Self.resultBytes ? $0 : $0.withoutResult }
        let entry = Entry(
            number: nextNumber, labels: labels, event: event, outcome: small, eventBytes: event.json.count + 256,
            resultBytes: (small?.result?.bytes.count ?? 0) + (small?.packedText?.count ?? 0))
        nextNumber += 1
        entries.append(entry)
        bytes += entry.bytes
        while entries.count - first > Self.keptEvents || bytes > Self.keptBytes, first < entries.count - 1 {
            bytes -= entries[first].bytes
            first += 1
        }
        if first > Self.keptEvents {
            entries.removeFirst(first)
            first = 0
        }
        for (number, follower) in followers { hand(entry, to: follower, number) }
    }

    /// Adds a follower; what it missed comes first.
    func follow(_ query: TenantEventQuery, number: Int) -> (AsyncStream<TenantEvent>, ended: FollowerEnd) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Told.self, bufferingPolicy: .bufferingOldest(Self.followerEvents + Self.keptEvents + 2))
        let unread = UnreadBytes()
        let follower = Follower(query: query, continuation: continuation, unread: unread)
        followers[number] = follower
        if let after = query.after {
            let oldest = first < entries.count ? entries[first].number : nextNumber
            if let last = position(after), last + 1 >= oldest, last < nextNumber {
                for entry in entries[first...] where entry.number > last { hand(entry, to: follower, number) }
            } else {
                let gap = TenantEvent(streamID: name(nextNumber - 1), event: nil, outcome: nil)
                continuation.yield(Told(event: gap, bytes: 0))
            }
        }
        let reader = Reader(stream, unread)
        return (AsyncStream(unfolding: { await reader.next() }), FollowerEnd(continuation: continuation))
    }

    /// Forgets a follower that went away.
    func unfollow(_ number: Int) { followers.removeValue(forKey: number)?.continuation.finish() }

    /// Ends every follower's stream.
    func finish() {
        for follower in followers.values { follower.continuation.finish() }
        followers = [:]
    }

    private func hand(_ entry: Entry, to follower: Follower, _ number: Int) {
        let query = follower.query
        guard query.types.isEmpty || query.types.contains(entry.event.type),
            query.labels.allSatisfy({ entry.has($0.key, $0.value) })
        else { return }
        let unread = follower.unread.count
        let isLate = unread > Self.resultsUnreadBytes
        let bytes = entry.eventBytes + (query.includesResults && !isLate ? entry.resultBytes : 0)
        guard unread + bytes <= Self.followerBytes + Self.keptBytes else { return unfollow(number) }
        let outcome = query.includesResults ? isLate ? entry.outcome?.withoutResult : entry.outcome : nil
        let told = TenantEvent(streamID: name(entry.number), event: entry.event, outcome: outcome)
        // Counted before it can be read.
        follower.unread.add(bytes)
        if case .dropped = follower.continuation.yield(Told(event: told, bytes: bytes)) { unfollow(number) }
    }

    private func name(_ number: Int) -> String { "\(epoch)-\(number)" }

    private func position(_ name: String) -> Int? {
        let parts = name.split(separator: "-", maxSplits: 1)
        guard parts.count == 2, parts[0] == epoch, let number = Int(parts[1]), number >= 0 else { return nil }
        return number
    }
}

/// Lets the owner of a stream learn that its reader went away.
struct FollowerEnd {
    fileprivate let continuation: AsyncStream<TenantFeed.Told>.Continuation

    func notify(_ body: @escaping @Sendable () -> Void) { continuation.onTermination = { _ in body() } }
}

extension JobOutcome {
    fileprivate var withoutResult: JobOutcome { JobOutcome(job: job, result: nil) }
}
