// The life of a sandbox: replies to what was ordered, and what happens by itself.
extension ClassPool {
    mutating func declare(_ shared: inout PoolShared) {
        isDeclared = true
        settle(&shared)
    }

    mutating func started(_ id: SandboxID, _ shared: inout PoolShared) {
        guard let sandbox = sandboxes[id], case .starting = sandbox.state else { return }
        failures = 0
        backoffUntil = nil
        lastError = nil
        pace.started(after: shared.now - sandbox.createdAt)
        move(id, to: .stem(since: shared.now), &shared)
        stems.append(id)
        requestWake(forFree: id, &shared)
        settle(&shared)
        if let time = stemDeadline { shared.requestWake(at: max(time, shared.now)) }
    }

    mutating func startFailed(_ id: SandboxID, _ reason: String, _ shared: inout PoolShared) {
        guard let sandbox = sandboxes[id], case .starting = sandbox.state else { return }
        destroy(id, .startFailed, &shared)
        noteFailure(of: sandbox, reason, &shared)
        settle(&shared)
    }

    mutating func specialised(_ id: SandboxID, _ shared: inout PoolShared) {
        guard case .specialising(let specialisation, let request, let start)? = sandboxes[id]?.state else { return }
        guard let request else { return reuse(id, specialisation, &shared) }
        preparing[request.id] = nil
        count(prepared: request, start)
        count(waited: request, now: shared.now)
        lease(id, specialisation, to: request.id, start, &shared)
        guard slots > 1 else { return }
        fill(id, specialisation, &shared)
        settle(&shared)
    }

    mutating func specialiseFailed(
        _ id: SandboxID, _ reason: String, because: PoolDestroyReason, _ shared: inout PoolShared
    ) {
        guard case .specialising(_, let request, _)? = sandboxes[id]?.state else { return }
        destroy(id, because, &shared)
        if let request { putBack(request, reason, &shared) }
        settle(&shared)
    }

    mutating func released(_ id: SandboxID, slot: Int, clean: Bool, _ shared: inout PoolShared) {
        guard case .leased(let specialisation)? = sandboxes[id]?.state, vacate(id, slot: slot) else { return }
        waiting.release(specialisation.tenant)
        if !clean { end(id, .unclean) }
        if sandboxes[id]?.busy != 0 { return releasedBeside(id, specialisation, &shared) }
        unlist(open: id, specialisation)
        guard clean else {
            destroy(id, .unclean, &shared)
            return settle(&shared)
        }
        reuse(id, specialisation, &shared)
    }

    mutating func lost(_ id: SandboxID, _ reason: String, _ shared: inout PoolShared) {
        guard let sandbox = sandboxes[id] else { return }
        let request = sandbox.state.request
        switch sandbox.state {
        case .starting: return startFailed(id, reason, &shared)
        case .specialising: return specialiseFailed(id, reason, because: .lost, &shared)
        case .leased(let specialisation):
            for _ in 0..<sandbox.busy.nonzeroBitCount { waiting.release(specialisation.tenant) }
        case .stem, .idle, .pausing, .paused, .resuming: break
        case .destroying: return
        }
        destroy(id, .lost, &shared)
        if let request { putBack(request, reason, isPreparation: false, &shared) }
        settle(&shared)
    }

    mutating func removed(_ id: SandboxID, _ shared: inout PoolShared) {
        guard let state = sandboxes[id]?.state else { return }
        guard case .destroying = state else {
            // Somebody else removed it: its owner hears the same as when it had died.
            return lost(id, "the sandbox was removed from outside", &shared)
        }
        forget(id, &shared)
        settle(&shared)
    }

    mutating func removeFailed(_ id: SandboxID, _ shared: inout PoolShared) {
        guard case .destroying(let reason, let failures, nil)? = sandboxes[id]?.state else { return }
        let pause = min(Self.removeRetry.first * Double(1 << min(failures, 16)), Self.removeRetry.most)
        move(id, to: .destroying(reason, failures: failures + 1, retryAt: shared.now + pause), &shared)
        shared.requestWake(at: shared.now + pause)
    }

    mutating func adopt(
        _ id: SandboxID, _ specialisation: Specialisation, leased: [Int], uses: Int, grant: ResourceDemand? = nil,
        _ shared: inout PoolShared
    ) {
        let busy = leased.filter { (0..<slots).contains($0) }.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        let state: PooledSandbox.State =
            busy != 0 ? .leased(specialisation) : .specialising(specialisation, request: nil, start: .warm)
        shared.ledger.adopt(id, grant ?? demand)
        insert(
            PooledSandbox(
                id: id, sequence: shared.nextSequence(), createdAt: shared.now, state: state, uses: uses, busy: busy),
            &shared)
        guard busy != 0 else { return reuse(id, specialisation, &shared) }
        for _ in 0..<busy.nonzeroBitCount { waiting.hold(specialisation.tenant, weight: 1, now: shared.now) }
        list(open: id, specialisation)
        fill(id, specialisation, &shared)
        settle(&shared)
    }

    mutating func drain(_ shared: inout PoolShared) {
        for request in waiting.all { reject(request, .draining, "The engine is shutting down.", &shared) }
        for sandbox in inOrder {
            switch sandbox.state {
            case .leased, .destroying: continue
            case .starting, .stem, .idle, .specialising, .pausing, .paused, .resuming: break
            }
            if let request = sandbox.state.request {
                waiting.release(request.tenant)
                shared.answered.append(request.id)
                shared.reject(request.id, .draining, "The engine is shutting down.")
            }
            destroy(sandbox.id, .drain, &shared)
        }
    }

    mutating func engineChanged(_ shared: inout PoolShared) {
        guard isReachable(shared) else { return enoughRoom(&shared) }
        failures = 0
        backoffUntil = nil
        settle(&shared)
    }

    /// Finds the next use of a sandbox that is prepared and held by nobody, then sees to the rest.
    mutating func reuse(_ id: SandboxID, _ specialisation: Specialisation, _ shared: inout PoolShared) {
        if let reason = reasonToEnd(id, specialisation.tenant, &shared) {
            destroy(id, reason, &shared)
        } else if let next = waiting.takeMatch(specialisation, now: shared.now) {
            count(waited: next, now: shared.now)
            lease(id, specialisation, to: next.id, .warm, &shared)
            fill(id, specialisation, &shared)
        } else if let next = waiting.takeHead(of: specialisation.tenant, now: shared.now) {
            specialise(id, for: next, &shared)
        } else {
            move(id, to: .idle(specialisation, since: shared.now), &shared)
            list(id, specialisation)
            requestWake(forFree: id, &shared)
        }
        settle(&shared)
    }

    /// Gives free slots of a leased sandbox to requests of its kind.
    mutating func fill(_ id: SandboxID, _ specialisation: Specialisation, _ shared: inout PoolShared) {
        guard slots > 1 else { return }
        while waiting.count > 0, open[specialisation]?.contains(id) == true,
            let next = waiting.takeMatch(specialisation, now: shared.now)
        {
            count(waited: next, now: shared.now)
            lease(id, specialisation, to: next.id, .warm, &shared)
        }
    }

    /// Sees to a slot that is free while tasks run in others of the same sandbox.
    private mutating func releasedBeside(
        _ id: SandboxID, _ specialisation: Specialisation, _ shared: inout PoolShared
    ) {
        if let reason = reasonToEnd(id, specialisation.tenant, &shared) {
            end(id, reason)
        } else {
            list(open: id, specialisation)
            fill(id, specialisation, &shared)
        }
        settle(&shared)
    }

    private mutating func reasonToEnd(
        _ id: SandboxID, _ tenant: TenantID, _ shared: inout PoolShared
    ) -> PoolDestroyReason? {
        guard let sandbox = sandboxes[id] else { return nil }
        if shared.isDraining { return .drain }
        if let ending = sandbox.ending { return ending }
        if sandbox.isWorn(policy) { return .maxUses }
        if sandbox.isExpired(policy, now: shared.now) { return .maxAge }
        // Beyond `max` it serves on for as long as its tenant waits, up to the ceiling: a new one would take its place.
        let count = live - endingCount
        if count > policy.ceiling || count > policy.max && waiting.waiting(tenant) == 0 { return .surplus }
        if shouldYieldRoom(id, shared) { return .evicted }
        return shouldYield(tenant, shared) ? .fairShare : nil
    }

    /// Asks for a tick when a sandbox that has just become free is to be frozen or destroyed.
    mutating func requestWake(forFree id: SandboxID, _ shared: inout PoolShared) {
        guard let sandbox = sandboxes[id] else { return }
        if policy.maxAge > 0 { shared.requestWake(at: sandbox.createdAt + policy.maxAge) }
        if policy.pauseAfter > 0 { shared.requestWake(at: shared.now + policy.pauseAfter) }
        if case .idle = sandbox.state { shared.requestWake(at: shared.now + policy.idleTTL) }
    }

    /// Counts a failed start; sandboxes that were ordered before the last counted failure belong to its round.
    private mutating func noteFailure(of sandbox: PooledSandbox, _ reason: String, _ shared: inout PoolShared) {
        lastError = reason
        guard isReachable(shared), !shared.isDraining else { return }
        if sandbox.createdAt >= lastFailureAt || failures == 0 {
            failures += 1
            lastFailureAt = shared.now
            let until = shared.now + policy.backoff(afterRounds: failures)
            backoffUntil = until
            shared.requestWake(at: until)
        }
        if failures >= Self.failuresMax, count(.starting) == 0 { rejectHopeless(reason, &shared) }
    }
}
