// The life of a sandbox: replies to what was ordered, and what happens by itself.
extension ClassPool {
    mutating func declare(_ shared: inout PoolShared) {
        isDeclared = true
        settle(&shared)
    }

    mutating func started(_ id: SandboxID, _ shared: inout PoolShared) {
        guard case .starting? = sandboxes[id]?.state else { return }
        failures = 0
        backoffUntil = nil
        lastError = nil
        move(id, to: .stem(since: shared.now), &shared)
        stems.append(id)
        requestWakeForAge(id, &shared)
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
        switch start {
        case .warm: hits.respecialised += 1
        case .stem: hits.stem += 1
        case .cold: hits.cold += 1
        }
        lease(id, specialisation, to: request.id, start, &shared)
    }

    mutating func specialiseFailed(
        _ id: SandboxID, _ reason: String, because: PoolDestroyReason, _ shared: inout PoolShared
    ) {
        guard case .specialising(_, let request, _)? = sandboxes[id]?.state else { return }
        destroy(id, because, &shared)
        lastError = reason
        if let request { putBack(request, reason, &shared) }
        settle(&shared)
    }

    mutating func released(_ id: SandboxID, clean: Bool, _ shared: inout PoolShared) {
        guard case .leased(let specialisation, _)? = sandboxes[id]?.state else { return }
        waiting.release(specialisation.tenant)
        guard clean else {
            destroy(id, .unclean, &shared)
            return settle(&shared)
        }
        reuse(id, specialisation, &shared)
    }

    mutating func lost(_ id: SandboxID, _ reason: String, _ shared: inout PoolShared) {
        guard let state = sandboxes[id]?.state else { return }
        switch state {
        case .starting: return startFailed(id, reason, &shared)
        case .specialising: return specialiseFailed(id, reason, because: .lost, &shared)
        case .leased(let specialisation, _): waiting.release(specialisation.tenant)
        case .stem, .idle: break
        case .destroying: return
        }
        destroy(id, .lost, &shared)
        lastError = reason
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
        _ id: SandboxID, _ specialisation: Specialisation, leased: Bool, uses: Int, grant: ResourceDemand? = nil,
        _ shared: inout PoolShared
    ) {
        let state: PooledSandbox.State =
            leased ? .leased(specialisation, request: nil) : .specialising(specialisation, request: nil, start: .warm)
        var sandbox = PooledSandbox(
            id: id, sequence: shared.nextSequence(), createdAt: shared.now, state: state)
        sandbox.uses = uses
        shared.ledger.adopt(id, grant ?? demand)
        insert(sandbox, &shared)
        if leased {
            waiting.hold(specialisation.tenant, weight: 1, now: shared.now)
            settle(&shared)
        } else {
            reuse(id, specialisation, &shared)
        }
    }

    mutating func drain(_ shared: inout PoolShared) {
        for request in waiting.all { reject(request, .draining, "The engine is shutting down.", &shared) }
        for sandbox in inOrder {
            switch sandbox.state {
            case .starting, .stem, .idle: break
            case .specialising(_, let request, _):
                if let request {
                    waiting.release(request.tenant)
                    shared.answered.append(request.id)
                    shared.reject(request.id, .draining, "The engine is shutting down.")
                }
            case .leased, .destroying: continue
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
    private mutating func reuse(_ id: SandboxID, _ specialisation: Specialisation, _ shared: inout PoolShared) {
        if let reason = reasonToDestroy(id, specialisation.tenant, &shared) {
            destroy(id, reason, &shared)
        } else if let next = waiting.takeMatch(specialisation, now: shared.now) {
            hits.warm += 1
            lease(id, specialisation, to: next.id, .warm, &shared)
        } else if let next = waiting.takeHead(of: specialisation.tenant, now: shared.now) {
            specialise(id, for: next, &shared)
        } else {
            move(id, to: .idle(specialisation, since: shared.now), &shared)
            idle[specialisation, default: []].append(id)
            shared.requestWake(at: shared.now + policy.idleTTL)
            requestWakeForAge(id, &shared)
        }
        settle(&shared)
    }

    private mutating func reasonToDestroy(
        _ id: SandboxID, _ tenant: TenantID, _ shared: inout PoolShared
    ) -> PoolDestroyReason? {
        guard let sandbox = sandboxes[id] else { return nil }
        if shared.isDraining { return .drain }
        if policy.maxUses > 0, sandbox.uses >= policy.maxUses { return .maxUses }
        if sandbox.isExpired(policy, now: shared.now) { return .maxAge }
        if live > policy.max { return .surplus }
        if shouldYieldRoom(id, shared) { return .evicted }
        return shouldYield(tenant, shared) ? .fairShare : nil
    }

    private func requestWakeForAge(_ id: SandboxID, _ shared: inout PoolShared) {
        guard policy.maxAge > 0, let sandbox = sandboxes[id] else { return }
        shared.requestWake(at: sandbox.createdAt + policy.maxAge)
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
