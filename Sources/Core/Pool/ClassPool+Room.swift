// Room on the machine: what a class does when there is none, and what it gives up for another.
extension ClassPool {
    /// Notes that a request waits for room.
    mutating func lackRoom(_ shared: inout PoolShared) {
        shared.lacksRoom(slot, demand)
        guard shortSince == nil else { return }
        shortSince = shared.now
        shared.requestWake(at: shared.now + PoolMachine.roomPatience)
    }

    /// Notes that no request waits for room any more.
    mutating func enoughRoom(_ shared: inout PoolShared) {
        guard shortSince != nil else { return }
        shortSince = nil
        shared.hasRoom(slot)
    }

    /// What the machine lacks for the requests that wait, in words.
    func waitsFor(_ ledger: AllocationLedger) -> String? {
        guard shortSince != nil, waiting.count > 0 else { return nil }
        let shortage = ledger.shortage(for: demand)
        return shortage.isNone ? nil : shortage.text
    }

    /// Whether a sandbox that was just released is better removed for a class that has waited for room too long.
    func shouldYieldRoom(_ id: SandboxID, _ shared: PoolShared) -> Bool {
        let hasClaim = hasClaim(shared)
        return shared.claims.contains { claim in
            // One that has its turn for processors and memory gives up none for one that still lacks devices.
            guard claim.slot != slot, !(hasClaim && claim.isForDevices) else { return false }
            let shortage = shared.ledger.shortage(for: claim.demand, soon: true)
            return !shortage.isNone && shared.ledger.helps(id, shortage, of: claim.demand)
        }
    }

    /// Whether a sandbox of the class takes nothing of the room that is kept for another class.
    func mayPass(_ shared: PoolShared) -> Bool {
        hasClaim(shared)
            || shared.claims.allSatisfy { $0.isForDevices && shared.ledger.hasRoom(for: demand, beside: $0.demand) }
    }

    private func hasClaim(_ shared: PoolShared) -> Bool { shared.claims.contains { $0.slot == slot } }

    /// The sandboxes that nobody holds, for what room they take: those that are to be kept ready come last.
    var expendable: [(id: SandboxID, isKept: Bool, since: Double, sequence: UInt64)] {
        sandboxes.values.compactMap { sandbox in
            sandbox.state.freeSince.map { since in
                let isKept = sandbox.tenant == nil && isDeclared && policy.minIdle > 0
                return (sandbox.id, isKept, since, sandbox.sequence)
            }
        }
    }
}
