/// The requests of one tenant that wait for sandboxes of one class, and how many sandboxes the tenant holds.
///
/// Requests that were taken stay in the heaps until they surface or until they are the majority:
/// that keeps taking and cancelling logarithmic without a search tree.
struct WaitQueueLine: Sendable {
    /// A request's place: higher priority first, then the lower turn, then the earlier one.
    struct Place: Comparable, Sendable {
        let priority: Int
        let turn: UInt64
        let sequence: UInt64
        let id: RequestID

        static func < (left: Place, right: Place) -> Bool {
            (right.priority, left.turn, left.sequence) < (left.priority, right.turn, right.sequence)
        }
    }

    /// The requests with the same specialisation.
    private struct Kind: Sendable {
        var heap = WaitQueueHeap<Place>()
        var waiting = 0

        mutating func settle(_ live: Live) { WaitQueueLine.settle(&heap, live) }

        mutating func compact(_ live: Live) {
            if heap.count > 2 * waiting + 64 { heap = WaitQueueLine.compacted(heap, live) }
        }
    }

    typealias Live = [RequestID: WaitingRequest]

    /// How often in a row a request may be passed over by one that fits a free sandbox as it is.
    static let passesMax = 32

    var weight: Int
    var held = 0
    /// When it was last served, as a number that grows.
    var turn: UInt64
    var version: UInt64 = 0
    /// Since when the tenant has waited without being served.
    var needySince: Double
    private(set) var waiting = 0
    private var passes = 0
    private var all = WaitQueueHeap<Place>()
    private var kinds: [Specialisation: Kind] = [:]

    init(weight: Int, turn: UInt64, now: Double) {
        self.weight = weight
        self.turn = turn
        needySince = now
    }

    mutating func insert(_ request: WaitingRequest, now: Double) {
        if waiting == 0 { needySince = now }
        let place = Place(
            priority: request.priority, turn: request.turn, sequence: request.sequence, id: request.id)
        waiting += 1
        all.insert(place)
        kinds[request.specialisation, default: Kind()].waiting += 1
        kinds[request.specialisation]?.heap.insert(place)
    }

    /// Counts a request out that is not among the live ones any more.
    mutating func forget(_ specialisation: Specialisation, live: Live) {
        waiting -= 1
        kinds[specialisation]?.waiting -= 1
        if kinds[specialisation]?.waiting == 0 {
            kinds[specialisation] = nil
        } else {
            kinds[specialisation]?.compact(live)
        }
        if waiting == 0 {
            all = WaitQueueHeap()
        } else if all.count > 2 * waiting + 64 {
            all = Self.compacted(all, live)
        }
    }

    /// The request whose turn it is.
    mutating func head(live: Live) -> RequestID? {
        Self.settle(&all, live)
        return all.first?.id
    }

    /// The next request with this specialisation, unless one of higher priority waits or the head waited too often.
    mutating func match(_ specialisation: Specialisation, live: Live) -> RequestID? {
        kinds[specialisation]?.settle(live)
        Self.settle(&all, live)
        guard let match = kinds[specialisation]?.heap.first, let head = all.first else { return nil }
        if match == head { return match.id }
        guard match.priority == head.priority, passes < Self.passesMax else { return nil }
        return match.id
    }

    func waiting(_ specialisation: Specialisation) -> Int { kinds[specialisation]?.waiting ?? 0 }

    func sandboxesWanted(slots: Int, coming: [Specialisation: Int]) -> Int {
        kinds.reduce(0) { sum, kind in
            sum + (max(0, kind.value.waiting - coming[kind.key, default: 0]) + slots - 1) / slots
        }
    }

    /// Notes that a request was served, and whether the head was passed over for it.
    mutating func served(passingOver: Bool) { passes = passingOver ? passes + 1 : 0 }

    private static func settle(_ heap: inout WaitQueueHeap<Place>, _ live: Live) {
        while let first = heap.first, live[first.id]?.sequence != first.sequence { heap.removeFirst() }
    }

    private static func compacted(_ heap: WaitQueueHeap<Place>, _ live: Live) -> WaitQueueHeap<Place> {
        WaitQueueHeap(heap.items.filter { live[$0.id]?.sequence == $0.sequence })
    }
}
