/// Room on the machine that is kept for one class.
struct RoomClaim: Sendable {
    let slot: Int
    let demand: ResourceDemand
    /// Whether devices are what the class lacks.
    let isForDevices: Bool
}

/// The classes that room is made for.
struct NeedyClasses: Sendable {
    /// The one that lacks processors or memory.
    var slot: Int?
    /// The one that lacks devices.
    var slotForDevices: Int?
    /// What the choice was made by.
    var version: UInt64 = 0
    /// What was booked then; what classes with devices lack depends on it.
    var ledgerVersion: UInt64 = 0
    /// When time alone may change it.
    var until = Double.infinity

    var slots: [Int] { [slot, slotForDevices].compactMap { $0 } }
}

/// A class's place among those that wait for room.
///
/// Those whose patience is over go first. Among them tenants take turns, as they do for starts; of one tenant's
/// classes the one goes that has waited longest.
private struct RoomTurn: Comparable {
    let isPatient: Bool
    let lastTurn: UInt64
    let since: Double
    let slot: Int

    static func < (left: RoomTurn, right: RoomTurn) -> Bool {
        guard left.isPatient == right.isPatient else { return right.isPatient }
        return (left.lastTurn, left.since, left.slot) < (right.lastTurn, right.since, right.slot)
    }
}

// Room on the machine: who gets what becomes free, and what is removed for it.
extension PoolMachine {
    /// Seconds for which smaller sandboxes may pass one that does not fit; then all that becomes free is kept for it.
    package static let roomPatience = 5.0

    /// What the sandboxes take of the machine.
    package var ledger: AllocationLedger { shared.ledger }

    /// What the requests for a class wait for, in words; nil when they wait for nothing of the machine.
    package func waitsFor(_ sandboxClass: SandboxClass) -> String? {
        slot(called: sandboxClass).flatMap { pools[$0].waitsFor(shared.ledger) }
    }

    /// Takes note of another capacity; requests that can never be met are refused.
    mutating func change(_ capacity: Capacity?) {
        shared.ledger.capacity = capacity
        for slot in pools.indices {
            if let reason = neverFits(pools[slot].sandboxClass) {
                update(slot) { pool, shared in
                    for request in pool.waiting.all { pool.reject(request, .limitExceeded, reason, &shared) }
                }
            }
            update(slot) { $0.settle(&$1) }
        }
    }

    /// Why a sandbox of a class can never be started here.
    func neverFits(_ sandboxClass: SandboxClass) -> String? {
        guard let refusals = shared.ledger.capacity?.refusals(of: sandboxClass.demand), !refusals.isEmpty else {
            return nil
        }
        return "This job can never run here: " + refusals.map(\.detail).joined(separator: "; ")
    }

    /// Keeps room for the classes whose turn it is, once their patience is over or enough is on its way.
    mutating func claimRoom() {
        chooseNeedy()
        shared.claims = needy.slots.compactMap { slot in
            guard let since = pools[slot].shortSince else { return nil }
            let demand = pools[slot].demand
            let isComing = shared.ledger.shortage(for: demand, soon: true).isNone
            let isClaimed = isComing || since + Self.roomPatience <= shared.now
            guard isClaimed else { return nil }
            return RoomClaim(slot: slot, demand: demand, isForDevices: slot == needy.slotForDevices)
        }
    }

    /// Removes what nobody holds for the classes whose turn for room it is.
    mutating func makeRoom() {
        guard !shared.short.isEmpty, !shared.isDraining else { return }
        chooseNeedy()
        for slot in needy.slots { makeRoom(for: slot) }
    }

    /// Removes what nobody holds for a class.
    ///
    /// Before its patience is over only where that is enough: a warm sandbox is not given up for nothing.
    private mutating func makeRoom(for slot: Int) {
        guard let since = pools[slot].shortSince else { return }
        let isOverdue = since + Self.roomPatience <= shared.now
        if !isOverdue { shared.requestWake(at: since + Self.roomPatience) }
        let demand = pools[slot].demand
        var rest = shared.ledger
        guard !rest.shortage(for: demand, soon: true).isNone else { return }
        var victims: [(slot: Int, id: SandboxID)] = []
        for candidate in candidates {
            let shortage = rest.shortage(for: demand, soon: true)
            if shortage.isNone { break }
            guard rest.helps(candidate.id, shortage, of: demand) else { continue }
            rest.leave(candidate.id)
            victims.append(candidate)
        }
        guard isOverdue || rest.shortage(for: demand, soon: true).isNone else { return }
        for victim in victims {
            update(victim.slot) { pool, shared in
                pool.destroy(victim.id, .evicted, &shared)
                // It may be a stem cell that is missed once nobody waits for room.
                pool.isBlocked = true
            }
        }
        claimRoom()
    }

    /// When a class's patience is over.
    var roomDeadline: Double? {
        let times = shared.short.compactMap { pools[$0].shortSince.map { $0 + Self.roomPatience } }
        return times.filter { $0 > shared.now }.min()
    }

    /// What does not add up about the room; nil when all does.
    func auditRoom() -> String? {
        let short = Set(pools.indices.filter { pools[$0].shortSince != nil })
        guard short == shared.short else { return "\(shared.short) are counted as short, it is \(short)" }
        let booked = Set(shared.ledger.holdings.keys)
        let present = Set(pools.flatMap { $0.sandboxes.keys })
        guard booked == present else { return "the ledger has other sandboxes than the pools" }
        return shared.ledger.audit()
    }

    /// Chooses the classes that room is made for, where something has changed.
    ///
    /// A class that lacks devices, which no sandbox of a class without them can give up, keeps room for nobody else
    /// from being made. Where the class with devices whose turn it is lacks none, it takes its turn among the others.
    private mutating func chooseNeedy() {
        let version = shared.shortWithDevices.isEmpty ? needy.ledgerVersion : shared.ledger.version
        guard needy.version != shared.shortVersion || needy.ledgerVersion != version || needy.until <= shared.now
        else { return }
        needy = NeedyClasses(version: shared.shortVersion, ledgerVersion: version)
        var first: RoomTurn?
        var firstWithDevices: RoomTurn?
        for slot in shared.short {
            guard let since = pools[slot].shortSince, pools[slot].canStart(shared) else { continue }
            let isPatient = since + Self.roomPatience > shared.now
            if isPatient { needy.until = min(needy.until, since + Self.roomPatience) }
            let lastTurn = pools[slot].waiting.next(by: { (false, shared.turns[$0] ?? 0) })?.lastTurn ?? 0
            let turn = RoomTurn(isPatient: isPatient, lastTurn: lastTurn, since: since, slot: slot)
            if shared.shortWithDevices[slot] == nil {
                first = first.map { min($0, turn) } ?? turn
            } else {
                firstWithDevices = firstWithDevices.map { min($0, turn) } ?? turn
            }
        }
        if let other = firstWithDevices, !shared.ledger.shortage(for: pools[other.slot].demand).gpus {
            first = first.map { min($0, other) } ?? other
            firstWithDevices = nil
        }
        needy.slot = first?.slot
        needy.slotForDevices = firstWithDevices?.slot
    }

    /// Everything that nobody holds, in the order in which it is given up.
    private var candidates: [(slot: Int, id: SandboxID)] {
        let all = slotsInUse.flatMap { slot in pools[slot].expendable.map { (slot: slot, sandbox: $0) } }
        return all.sorted { left, right in
            let (one, two) = (left.sandbox, right.sandbox)
            if one.isKept != two.isKept { return two.isKept }
            return (one.since, one.sequence) < (two.since, two.sequence)
        }.map { ($0.slot, $0.sandbox.id) }
    }
}
