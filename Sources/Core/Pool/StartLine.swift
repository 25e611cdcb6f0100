/// The classes that want to start sandboxes and may not yet: too many are starting, or there is no room.
///
/// Only their places are kept. Whose turn it is follows from the tenants that wait; see `StartTurn`.
struct StartLine: Sendable {
    /// What has to change before a class that found no room is worth another look.
    struct Circumstances: Equatable, Sendable {
        let ledgerVersion: UInt64
        /// The classes for which room is kept.
        let claimed: Set<Int>
        /// Whether a class without devices waits for room.
        let isAnybodyShort: Bool
        /// The classes with devices that wait for room.
        let shortOfDevices: Set<Int>

        /// Whether fewer classes keep stock from being started than did before.
        func mayStock(since before: Circumstances) -> Bool {
            before.isAnybodyShort && !isAnybodyShort || !before.shortOfDevices.isSubset(of: shortOfDevices)
        }
    }

    /// The number that each got when it came, by which they are ordered.
    private var numbers: [Int: UInt64] = [:]
    /// Classes that are to be looked at.
    private(set) var ready: Set<Int> = []
    /// Classes that found no room, and will not as long as the circumstances are the same.
    private var resting: Set<Int> = []
    private var circumstances: Circumstances?
    private var clock: UInt64 = 0

    var isEmpty: Bool { numbers.isEmpty }

    /// All classes in it, for tests.
    var all: [Int] { Array(numbers.keys) }

    func contains(_ slot: Int) -> Bool { numbers[slot] != nil }

    /// Those that are to be looked at, with their numbers, in their order.
    var inOrder: [(slot: Int, number: UInt64)] {
        ready.map { ($0, numbers[$0] ?? 0) }.sorted { $0.1 < $1.1 }
    }

    /// Puts a class at the end, or has one that rests looked at again.
    mutating func join(_ slot: Int) {
        if numbers[slot] == nil {
            clock += 1
            numbers[slot] = clock
            ready.insert(slot)
        } else if resting.remove(slot) != nil {
            ready.insert(slot)
        }
    }

    mutating func leave(_ slot: Int) {
        numbers[slot] = nil
        ready.remove(slot)
        resting.remove(slot)
    }

    /// Has a class wait where it stands, or stood, until circumstances change.
    mutating func rest(_ slot: Int, number: UInt64) {
        guard numbers[slot] != nil else { return }
        numbers[slot] = number
        ready.remove(slot)
        resting.insert(slot)
    }

    /// Has all be looked at again where something has changed.
    mutating func wake(_ now: Circumstances) {
        guard circumstances != now else { return }
        circumstances = now
        ready.formUnion(resting)
        resting = []
    }

    /// Notes circumstances that all have seen.
    mutating func note(_ now: Circumstances) { circumstances = now }
}

/// A class's place among those that want to start a sandbox.
///
/// Tenants take turns, whatever number of classes each of them uses; within a tenant the classes do. A tenant that has
/// all but one of the places for starting lets others go first, and what nobody waits for comes last.
struct StartTurn: Comparable, Sendable {
    /// Why a sandbox is to be started.
    enum Reason: Int, Sendable {
        case request
        case requestOfTheBusiest
        case stock
    }

    let slot: Int
    let reason: Reason
    /// Whose turn it is; nil for stock.
    let tenant: TenantID?
    /// When that tenant had its last turn.
    let lastTurn: UInt64
    /// Its number in the line.
    let number: UInt64

    static func < (left: StartTurn, right: StartTurn) -> Bool {
        (left.reason.rawValue, left.lastTurn, left.number) < (right.reason.rawValue, right.lastTurn, right.number)
    }
}
