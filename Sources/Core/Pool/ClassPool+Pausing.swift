// Freezing free sandboxes, and thawing them for a request.
extension ClassPool {
    /// Orders that a free sandbox is frozen; it stays on its list.
    mutating func pause(_ id: SandboxID, _ shared: inout PoolShared) {
        switch sandboxes[id]?.state {
        case .stem(let since)?: move(id, to: .pausing(nil, since: since, request: nil), &shared)
        case .idle(let specialisation, let since)?:
            move(id, to: .pausing(specialisation, since: since, request: nil), &shared)
        case .starting?, .specialising?, .leased?, .pausing?, .paused?, .resuming?, .destroying?, nil: return
        }
        shared.actions.append(.pause(id))
    }

    mutating func paused(_ id: SandboxID, _ shared: inout PoolShared) {
        guard case .pausing(let specialisation, let since, let request)? = sandboxes[id]?.state else { return }
        if request != nil {
            move(id, to: .resuming(specialisation, request: request), &shared)
            shared.actions.append(.resume(id))
        } else {
            move(id, to: .paused(specialisation, since: since), &shared)
        }
    }

    mutating func resumed(_ id: SandboxID, _ shared: inout PoolShared) {
        guard case .resuming(let specialisation, let request)? = sandboxes[id]?.state else { return }
        if let request {
            preparing[request.id] = nil
            count(resumed: request)
            return begin(id, specialisation, request, &shared)
        }
        guard let specialisation else {
            move(id, to: .stem(since: shared.now), &shared)
            stems.append(id)
            requestWake(&shared)
            return settle(&shared)
        }
        reuse(id, specialisation, &shared)
    }

    /// A sandbox that could not be frozen or thawed is of no more use.
    mutating func pausingFailed(_ id: SandboxID, _ reason: String, _ shared: inout PoolShared) {
        switch sandboxes[id]?.state {
        case .pausing?, .resuming?: break
        case .starting?, .stem?, .specialising?, .idle?, .leased?, .paused?, .destroying?, nil: return
        }
        let request = sandboxes[id]?.state.request
        destroy(id, .pauseFailed, &shared)
        lastError = reason
        if let request { putBack(request, reason, isPreparation: false, &shared) }
        settle(&shared)
    }

    /// Gives a free sandbox, taken off its list, to a request whose tenant holds it from now on.
    mutating func give(_ id: SandboxID, to request: WaitingRequest, _ shared: inout PoolShared) {
        switch sandboxes[id]?.state {
        case .pausing?, .paused?: resume(id, for: request, &shared)
        case .stem?, .idle?: specialise(id, for: request, &shared)
        case .starting?, .specialising?, .leased?, .resuming?, .destroying?, nil: break
        }
    }

    /// Has a frozen sandbox, taken off its list, thawed for a request whose tenant holds it from now on.
    mutating func resume(_ id: SandboxID, for request: WaitingRequest, _ shared: inout PoolShared) {
        switch sandboxes[id]?.state {
        case .pausing(let specialisation, let since, _)?:
            // It can be thawed only once it is frozen.
            move(id, to: .pausing(specialisation, since: since, request: request), &shared)
        case .paused(let specialisation, _)?:
            move(id, to: .resuming(specialisation, request: request), &shared)
            shared.actions.append(.resume(id))
        case .starting?, .stem?, .specialising?, .idle?, .leased?, .resuming?, .destroying?, nil: return
        }
        preparing[request.id] = id
        shared.queued.append(request.id)
    }

    /// Goes on with a thawed sandbox: a lease where it is prepared for just this, else its preparation.
    private mutating func begin(
        _ id: SandboxID, _ specialisation: Specialisation?, _ request: WaitingRequest, _ shared: inout PoolShared
    ) {
        guard specialisation == request.specialisation else {
            specialise(id, for: request, &shared)
            // A stem cell that was taken may be one of more that are wanted.
            return settle(&shared)
        }
        count(waited: request, now: shared.now)
        lease(id, request.specialisation, to: request.id, .warm, &shared)
        fill(id, request.specialisation, &shared)
        settle(&shared)
    }
}
