/// Room on the machine that is kept for one class.
struct RoomClaim: Sendable {
    let slot: Int
    let sandboxClass: SandboxClass
    let demand: ResourceDemand
}

// Room on the machine: who gets what becomes free, and what is removed for it.
extension PoolMachine {
    /// Seconds for which smaller sandboxes may pass one that does not fit; then all that becomes free is kept for it.
    package static let roomPatience = 5.0

    /// What the sandboxes take of the machine.
    package var ledger: AllocationLedger { shared.ledger }

    /// What the requests for a class wait for, in words; nil when they wait for nothing of the machine.
    package func waitsFor(_ sandboxClass: SandboxClass) -> String? {
        pools.first { $0.sandboxClass == sandboxClass && !$0.isRetired }?.waitsFor(shared.ledger)
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

    /// Keeps room for the class that has waited longest, once its patience is over or enough is on its way.
    mutating func claimRoom() {
        shared.claim = nil
        guard shared.shortClasses > 0, let slot = neediest, let since = pools[slot].shortSince else { return }
        let demand = pools[slot].demand
        let isComing = shared.ledger.shortage(for: demand, soon: true).isNone
        guard isComing || since + Self.roomPatience <= shared.now else { return }
        shared.claim = RoomClaim(slot: slot, sandboxClass: pools[slot].sandboxClass, demand: demand)
        if let place = blocked.firstIndex(of: slot) { blocked.insert(blocked.remove(at: place), at: 0) }
    }

    /// Removes what nobody holds for the class that has waited longest for room.
    ///
    /// Before its patience is over only where that is enough: a warm sandbox is not given up for nothing.
    mutating func makeRoom() {
        guard shared.shortClasses > 0, !shared.isDraining, let slot = neediest, pools[slot].canStart(shared),
            let since = pools[slot].shortSince
        else { return }
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
        let times = pools.compactMap { $0.shortSince.map { $0 + Self.roomPatience } }
        return times.filter { $0 > shared.now }.min()
    }

    /// What does not add up about the room; nil when all does.
    func auditRoom() -> String? {
        let short = pools.count { $0.shortSince != nil }
        guard short == shared.shortClasses else { return "\(shared.shortClasses) counted as short, it is \(short)" }
        let booked = Set(shared.ledger.holdings.keys)
        let present = Set(pools.flatMap { $0.sandboxes.keys })
        guard booked == present else { return "the ledger has other sandboxes than the pools" }
        return shared.ledger.audit()
    }

    /// The class that has waited longest for room and may start.
    private var neediest: Int? {
        pools.indices.filter { pools[$0].shortSince != nil && pools[$0].canStart(shared) }
            .min { (pools[$0].shortSince ?? 0, $0) < (pools[$1].shortSince ?? 0, $1) }
    }

    /// Everything that nobody holds, in the order in which it is given up.
    private var candidates: [(slot: Int, id: SandboxID)] {
        let all = pools.indices.flatMap { slot in pools[slot].expendable.map { (slot: slot, sandbox: $0) } }
        return all.sorted { left, right in
            let (one, two) = (left.sandbox, right.sandbox)
            if one.isKept != two.isKept { return two.isKept }
            return (one.since, one.sequence) < (two.since, two.sequence)
        }.map { ($0.slot, $0.sandbox.id) }
    }
}
