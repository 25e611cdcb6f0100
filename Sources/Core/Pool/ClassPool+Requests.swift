// Requests: how they come, are served at once, wait, and go.
extension ClassPool {
    mutating func request(_ request: WaitingRequest, _ shared: inout PoolShared) {
        lastRequestAt = shared.now
        lastActivityAt = shared.now
        if serveAtOnce(request, &shared) { return settle(&shared) }
        if policy.onExhausted == .reject, isExhausted(shared) {
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
            // Its preparation goes on: the sandbox is soon free for the tenant's next job.
            if case .specialising(let specialisation, _, let start)? = sandboxes[sandbox]?.state {
                waiting.release(specialisation.tenant)
                move(sandbox, to: .specialising(specialisation, request: nil, start: start), &shared)
            }
        } else if waiting.remove(id) == nil {
            return
        }
        shared.answered.append(id)
        settle(&shared)
    }

    /// Puts a request back whose sandbox failed while it was prepared; refuses it when that happened too often.
    mutating func putBack(_ request: WaitingRequest, _ reason: String, _ shared: inout PoolShared) {
        waiting.release(request.tenant)
        var request = request
        request.failures += 1
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
        while let id = idle[request.specialisation]?.last {
            if discardExpired(id, &shared) { continue }
            unlistLast(request.specialisation)
            waiting.hold(request.tenant, weight: request.weight, now: shared.now)
            hits.warm += 1
            lease(id, request.specialisation, to: request.id, .warm, &shared)
            return true
        }
        guard let id = takeStem(&shared) ?? takeIdle(of: request.tenant, &shared) else { return false }
        waiting.hold(request.tenant, weight: request.weight, now: shared.now)
        specialise(id, for: request, &shared)
        return true
    }

    /// The tenant's least recently used free sandbox, taken off the list.
    private mutating func takeIdle(of tenant: TenantID, _ shared: inout PoolShared) -> SandboxID? {
        while let (id, specialisation) = leastRecentlyUsed(of: tenant) {
            if discardExpired(id, &shared) { continue }
            unlist(id, specialisation)
            return id
        }
        return nil
    }

    private mutating func unlistLast(_ specialisation: Specialisation) {
        idle[specialisation]?.removeLast()
        if idle[specialisation]?.isEmpty == true { idle[specialisation] = nil }
    }

    /// Whether one request more could not even hope for a sandbox that is free, on its way or allowed.
    private func isExhausted(_ shared: PoolShared) -> Bool {
        guard isReachable(shared) else { return true }
        let coming = count(.starting) + count(.destroying) + count(.idle)
        return waiting.count >= coming + max(0, policy.ceiling - total)
    }
}
