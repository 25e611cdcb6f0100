// The lists of free sandboxes and free slots.
extension ClassPool {
    /// Puts a free sandbox at the end of its list: the one to be used next.
    mutating func list(_ id: SandboxID, _ specialisation: Specialisation) {
        idle[specialisation, default: []].append(id)
        idleCount += 1
    }

    /// Puts a frozen sandbox where nobody has it any more at the front of its list.
    mutating func relist(_ id: SandboxID, _ specialisation: Specialisation?) {
        guard let specialisation else { return stems.insert(id, at: 0) }
        idle[specialisation, default: []].insert(id, at: 0)
        idleCount += 1
    }

    /// Takes a sandbox out of the list of free ones.
    mutating func unlist(_ id: SandboxID, _ specialisation: Specialisation) {
        guard let place = idle[specialisation]?.lastIndex(of: id) else { return }
        idle[specialisation]?.remove(at: place)
        idleCount -= 1
        if idle[specialisation]?.isEmpty == true { idle[specialisation] = nil }
    }

    /// Takes the last sandbox off the list of free ones.
    mutating func unlistLast(_ specialisation: Specialisation) {
        idle[specialisation]?.removeLast()
        idleCount -= 1
        if idle[specialisation]?.isEmpty == true { idle[specialisation] = nil }
    }

    /// Lists a leased sandbox as one with a free slot, or takes it off when it has none for anybody new.
    mutating func list(open id: SandboxID, _ specialisation: Specialisation) {
        guard slots > 1, let sandbox = sandboxes[id] else { return }
        let isOpen =
            sandbox.busy != 0 && sandbox.hasFreeSlot(of: slots) && sandbox.ending == nil && !sandbox.isWorn(policy)
        guard isOpen else { return unlist(open: id, specialisation) }
        guard open[specialisation]?.contains(id) != true else { return }
        open[specialisation, default: []].append(id)
    }

    mutating func unlist(open id: SandboxID, _ specialisation: Specialisation) {
        guard slots > 1, let place = open[specialisation]?.lastIndex(of: id) else { return }
        open[specialisation]?.remove(at: place)
        if open[specialisation]?.isEmpty == true { open[specialisation] = nil }
    }

    /// Counts the slots that a sandbox under preparation will have left, or no longer.
    mutating func countSeats(of state: PooledSandbox.State, by sign: Int) {
        guard slots > 1 else { return }
        let coming: (specialisation: Specialisation, seats: Int)? =
            switch state {
            case .specialising(let specialisation, let request, _):
                (specialisation, request == nil ? slots : slots - 1)
            case .pausing(_, _, let request?), .resuming(_, let request?): (request.specialisation, slots - 1)
            case .starting, .stem, .idle, .leased, .pausing, .paused, .resuming, .destroying: nil
            }
        guard let coming else { return }
        let seats = seatsComing[coming.specialisation, default: 0] + sign * coming.seats
        seatsComing[coming.specialisation] = seats == 0 ? nil : seats
    }

    /// Sandboxes that the waiting requests need beyond the slots that come by themselves.
    var wanted: Int {
        slots == 1 ? waiting.count : waiting.sandboxesWanted(slots: slots, coming: seatsComing)
    }
}
