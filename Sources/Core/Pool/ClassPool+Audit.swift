extension ClassPool {
    /// What does not agree between the sandboxes and the books kept about them; nil when all does.
    func audit() -> String? {
        var books = PoolBooks()
        for sandbox in sandboxes.values {
            if let fault = books.note(sandbox, in: self) { return fault }
        }
        guard Set(stems) == books.stems, stems.count == books.stems.count else {
            return "the list of stem cells is wrong"
        }
        guard idle.values.reduce(0, { $0 + $1.count }) == books.free, idleCount == books.free else {
            return "the list of free ones is wrong"
        }
        guard open.values.reduce(0, { $0 + $1.count }) == books.open else { return "the list of free slots is wrong" }
        guard owned == books.owned else { return "the tenants' sandboxes are miscounted" }
        guard endingCount == books.ending else { return "\(endingCount) counted as ending, there are \(books.ending)" }
        guard seatsComing == books.seats else { return "the slots that come are miscounted" }
        guard preparing.count == books.preparing else { return "a request is prepared for by nobody" }
        for phase in SandboxPhase.allCases {
            let actual = sandboxes.values.count { $0.state.phase == phase }
            guard actual == count(phase) else { return "\(count(phase)) counted as \(phase), there are \(actual)" }
        }
        return waiting.audit(held: books.held)
    }
}

/// The books of a class, made anew from its sandboxes.
private struct PoolBooks {
    var held: [TenantID: Int] = [:]
    var owned: [TenantID: Int] = [:]
    var seats: [Specialisation: Int] = [:]
    var stems = Set<SandboxID>()
    var free = 0
    var open = 0
    var ending = 0
    var preparing = 0

    mutating func note(_ sandbox: PooledSandbox, in pool: ClassPool) -> String? {
        let (id, state) = (sandbox.id, sandbox.state)
        if case .destroying = state { return nil }
        if let tenant = sandbox.tenant { owned[tenant, default: 0] += 1 }
        if sandbox.ending != nil { ending += 1 }
        if let request = state.request {
            guard pool.preparing[request.id] == id else { return "\(request.id) cannot be cancelled" }
            preparing += 1
            held[request.tenant, default: 0] += 1
            if pool.slots > 1 { seats[request.specialisation, default: 0] += pool.slots - 1 }
        } else if case .specialising(let specialisation, _, _) = state, pool.slots > 1 {
            seats[specialisation, default: 0] += pool.slots
        }
        if case .leased(let specialisation) = state {
            held[specialisation.tenant, default: 0] += sandbox.busy.nonzeroBitCount
            guard sandbox.busy != 0 else { return "\(id) is leased to nobody" }
            let isListed = pool.open[specialisation]?.contains(id) == true
            if isListed { open += 1 }
            guard !isListed || (sandbox.hasFreeSlot(of: pool.slots) && sandbox.ending == nil) else {
                return "\(id) is offered without a free slot"
            }
        } else if sandbox.busy != 0 {
            return "\(id) is \(state.phase) and runs tasks"
        }
        guard state.freeSince != nil else { return nil }
        guard let specialisation = state.specialisation else {
            stems.insert(id)
            return nil
        }
        free += 1
        return pool.idle[specialisation]?.contains(id) == true ? nil : "\(id) is not listed"
    }
}
