// Requests: how they come, are served at once, wait, and go.
extension ClassPool {
    mutating func request(_ request: WaitingRequest, _ shared: inout PoolShared) {
        lastRequestAt = shared.now
        lastActivityAt = shared.now
        if serveAtOnce(request, &shared) { return settle(&shared) }
        if policy.onExhausted == .reject, isExhausted(by: request, shared) {
            return shared.reject(
                request.id, .queueFull,
                "All \(policy.max) sandboxes of \(sandboxClass.image) are in use and on_exhausted is reject; submit "
                    + "again later or raise the pool's max.")
        }
        waiting.add(request, now: shared.now)
        shared.queued.append(request.id)
        settle(&shared)
    }

    mutating func cancel(_ id: RequestID, _ shared: inout PoolShared) {
        if let sandbox = preparing.removeValue(forKey: id) {
            abandon(sandbox, &shared)
        } else if waiting.remove(id) == nil {
            return
        }
        shared.answered.append(id)
        settle(&shared)
    }

    /// Leaves a sandbox to go on without the request that had it: it is soon free for the tenant's next job.
    private mutating func abandon(_ id: SandboxID, _ shared: inout PoolShared) {
        guard let state = sandboxes[id]?.state, let request = state.request else { return }
        waiting.release(request.tenant)
        // Of a class that is gone nothing is kept for another request; what is being prepared goes when it is ready.
        if let reason = sandboxes[id]?.ending, state.phase != .specialising { return destroy(id, reason, &shared) }
        switch state {
        case .specialising(let specialisation, _, let start):
            move(id, to: .specialising(specialisation, request: nil, start: start), &shared)
        case .pausing(let specialisation, let since, _):
            move(id, to: .pausing(specialisation, since: since, request: nil), &shared)
            relist(id, specialisation)
            requestWake(&shared)
        case .resuming(let specialisation, _):
            move(id, to: .resuming(specialisation, request: nil), &shared)
        case .starting, .stem, .idle, .leased, .paused, .destroying: break
        }
    }

    /// Puts a request back whose sandbox failed; refuses it when its preparation failed too often.
    mutating func putBack(
        _ request: WaitingRequest, _ reason: String, isPreparation: Bool = true, _ shared: inout PoolShared
    ) {
        waiting.release(request.tenant)
        var request = request
        if isPreparation { request.failures += 1 }
        guard request.failures < Self.specialiseFailuresMax else {
            shared.answered.append(request.id)
            return shared.reject(
                request.id, .startFailed,
                "No sandbox of \(sandboxClass.image) could be prepared for this job in \(request.failures) tries: "
                    + reason)
        }
        if !serveAtOnce(request, &shared) { waiting.add(request, now: shared.now) }
    }

    /// Refuses all that waits for tenants that hold no sandbox here.
    mutating func rejectHopeless(_ reason: String, _ shared: inout PoolShared) {
        for request in waiting.all where waiting.held(by: request.tenant) == 0 {
            reject(
                request, .startFailed,
                "Sandboxes of \(sandboxClass.image) do not start (\(failures) rounds of tries): \(reason)", &shared)
        }
    }

    mutating func reject(
        _ request: WaitingRequest, _ code: EngineError.Code, _ message: String, _ shared: inout PoolShared
    ) {
        guard waiting.remove(request.id) != nil else { return }
        shared.answered.append(request.id)
        shared.reject(request.id, code, message)
    }

    /// Serves a request from what is free: the same specialisation, else a stem cell, else the same tenant's.
    private mutating func serveAtOnce(_ request: WaitingRequest, _ shared: inout PoolShared) -> Bool {
        if slots > 1, let served = serveBeside(request, &shared) { return served }
        while let id = idle[request.specialisation]?.last {
            if discardExpired(id, &shared) { continue }
            unlistLast(request.specialisation)
            waiting.hold(request.tenant, weight: request.weight, now: shared.now)
            if case .idle? = sandboxes[id]?.state {
                lease(id, request.specialisation, to: request.id, .warm, &shared)
            } else {
                resume(id, for: request, &shared)
            }
            return true
        }
        guard let id = takeStem(&shared) ?? takeIdle(of: request.tenant, &shared) else { return false }
        waiting.hold(request.tenant, weight: request.weight, now: shared.now)
        give(id, to: request, &shared)
        return true
    }

    /// Serves a request in a free slot of a sandbox that is in use; nil when there is none.
    ///
    /// Requests of another kind that wait for the sandbox to be free are not passed over for ever: the new one takes
    /// its place among the tenant's, and is served only if its turn allows it.
    private mutating func serveBeside(_ request: WaitingRequest, _ shared: inout PoolShared) -> Bool? {
        while let id = open[request.specialisation]?.last {
            guard let sandbox = sandboxes[id] else { return nil }
            if sandbox.isExpired(policy, now: shared.now) {
                end(id, .maxAge)
                continue
            }
            if waiting.waiting(request.tenant) > 0 {
                waiting.add(request, now: shared.now)
                shared.queued.append(request.id)
                fill(id, request.specialisation, &shared)
                return true
            }
            waiting.hold(request.tenant, weight: request.weight, now: shared.now)
            lease(id, request.specialisation, to: request.id, .warm, &shared)
            return true
        }
        return nil
    }

    /// The tenant's least recently used free sandbox, taken off the list.
    private mutating func takeIdle(of tenant: TenantID, _ shared: inout PoolShared) -> SandboxID? {
        while let (id, specialisation) = leastRecentlyUsed(where: { $0 == tenant }) {
            if discardExpired(id, &shared) { continue }
            unlist(id, specialisation)
            return id
        }
        return nil
    }

    /// Whether one request more could not even hope for a sandbox that is free, on its way or allowed.
    private func isExhausted(by request: WaitingRequest, _ shared: PoolShared) -> Bool {
        guard isReachable(shared) else { return true }
        if slots > 1, seatsComing[request.specialisation, default: 0] > waiting.waiting(request.specialisation) {
            return false
        }
        let coming = count(.starting) + count(.destroying) + idleCount
        return wanted >= coming + max(0, policy.ceiling - total)
    }
}
