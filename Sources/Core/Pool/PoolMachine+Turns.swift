// Turns for starting: who gets the next free place.
extension PoolMachine {
    /// Hands free places for starting out to the classes that wait for one, each in its turn.
    mutating func serveLine() {
        claimRoom()
        guard !line.isEmpty else { return shared.forgetTurns() }
        shared.mayStart = 0
        shared.mayStock = false
        while serveOne() {}
    }

    /// Lets the first of the line that can start a sandbox do it; false when none could.
    private mutating func serveOne() -> Bool {
        let before = circumstances
        line.wake(before)
        guard let first = line.ready.first, shared.starting < pools[first].policy.startingMax else { return false }
        var turns: [StartTurn] = []
        for (slot, number) in line.inOrder {
            if let turn = pools[slot].turn(number, shared) { turns.append(turn) } else { leaveLine(slot) }
        }
        for turn in turns.sorted() where serve(turn) {
            claimRoom()
            return true
        }
        // Who found no room here keeps stock from it, which has seen that already; the other way round it has not.
        let after = circumstances
        if after.mayStock(since: before) {
            claimRoom()
            return true
        }
        line.note(after)
        return false
    }

    private var circumstances: StartLine.Circumstances {
        .init(
            ledgerVersion: shared.ledger.version, claimed: Set(shared.claims.map(\.slot)),
            isAnybodyShort: shared.isAnybodyShort, shortOfDevices: Set(shared.shortWithDevices.keys))
    }

    /// Gives a class its turn; true when it started a sandbox.
    private mutating func serve(_ turn: StartTurn) -> Bool {
        let slot = turn.slot
        guard pools[slot].mayTry(shared) else {
            line.rest(slot, number: turn.number)
            return false
        }
        let before = shared.starting
        shared.mayStart = 1
        shared.mayStock = turn.reason == .stock
        shared.turnOf = turn.tenant
        leaveLine(slot)
        shared.mayStart = 0
        shared.mayStock = false
        shared.turnOf = nil
        guard shared.starting == before else { return true }
        line.rest(slot, number: turn.number)
        return false
    }

    /// Has a class that is out of the line look after itself; it joins again when it still wants to start one.
    private mutating func leaveLine(_ slot: Int) {
        line.leave(slot)
        update(slot) { $0.settle(&$1) }
    }

    /// What does not add up about the turns; nil when all does.
    func auditTurns() -> String? {
        var starting: [TenantID: Int] = [:]
        for sandbox in pools.flatMap(\.sandboxes.values) where sandbox.state.phase == .starting {
            if let tenant = sandbox.startedFor { starting[tenant, default: 0] += 1 }
        }
        guard starting == shared.startingFor else { return "the tenants' starts are miscounted" }
        return line.all.contains { pools[$0].isRetired } ? "a class that is gone is in line" : nil
    }
}

extension ClassPool {
    /// The class's place among those that want to start a sandbox; nil when it does not want to any more.
    func turn(_ number: UInt64, _ shared: PoolShared) -> StartTurn? {
        guard canStart(shared) else { return nil }
        if waiting.count > 0, wanted > count(.starting), total < policy.ceiling {
            let most = max(1, policy.startingMax - 1)
            let next = waiting.next(by: { (shared.startingFor[$0, default: 0] >= most, shared.turns[$0] ?? 0) })
            return StartTurn(
                slot: slot, reason: next?.isBusiest == true ? .requestOfTheBusiest : .request, tenant: next?.tenant,
                lastTurn: next?.lastTurn ?? 0, number: number)
        }
        guard isShortOfStems(shared.now), total < policy.max else { return nil }
        return StartTurn(slot: slot, reason: .stock, tenant: nil, lastTurn: 0, number: number)
    }

    /// Whether a try to start a sandbox could end otherwise than the one before.
    ///
    /// One that finds no room notes that it is short, and so has room made for it; not while room is kept for a class
    /// that lacks the same.
    func mayTry(_ shared: PoolShared) -> Bool {
        if shared.ledger.shortage(for: demand).isNone { return mayPass(shared) }
        return shortSince == nil && shared.claims.allSatisfy { $0.slot == slot || $0.isForDevices }
    }
}
