// What happens because time passes.
extension ClassPool {
    mutating func tick(_ shared: inout PoolShared) {
        for sandbox in inOrder {
            switch sandbox.state {
            case .starting, .specialising, .leased, .resuming: break
            case .stem, .idle, .pausing, .paused: tickFree(sandbox, &shared)
            case .destroying(let reason, let failures, let retryAt):
                guard let retryAt, retryAt <= shared.now else { continue }
                move(sandbox.id, to: .destroying(reason, failures: failures, retryAt: nil), &shared)
                shared.actions.append(.destroy(sandbox.id, reason))
            }
        }
        while let time = stemDeadline, time <= shared.now, let oldest = stems.first {
            // Kept on while they are being taken quickly: looked at again in a while.
            guard stems.count > stemsWanted(shared.now) else {
                stemsKeptUntil = shared.now + Self.lookAgain
                break
            }
            destroy(oldest, .idle, &shared)
        }
        settle(&shared)
    }

    /// Destroys a free sandbox whose time is over, or freezes it.
    private mutating func tickFree(_ sandbox: PooledSandbox, _ shared: inout PoolShared) {
        guard let since = sandbox.state.freeSince, !discardExpired(sandbox.id, &shared) else { return }
        if sandbox.state.specialisation != nil, since + policy.idleTTL <= shared.now {
            destroy(sandbox.id, .idle, &shared)
        } else if policy.pauseAfter > 0, since + policy.pauseAfter <= shared.now {
            pause(sandbox.id, &shared)
        }
    }

    /// The earliest time at which this class has to do something without an event.
    func deadline(_ shared: PoolShared) -> Double? {
        var times: [Double] = []
        for sandbox in sandboxes.values {
            if case .destroying(_, _, let retryAt?) = sandbox.state { times.append(retryAt) }
            guard let since = sandbox.state.freeSince else { continue }
            if policy.maxAge > 0 { times.append(sandbox.createdAt + policy.maxAge) }
            switch sandbox.state {
            case .stem: if policy.pauseAfter > 0 { times.append(since + policy.pauseAfter) }
            case .idle:
                times.append(since + policy.idleTTL)
                if policy.pauseAfter > 0 { times.append(since + policy.pauseAfter) }
            case .paused(.some, _), .pausing(.some, _, _): times.append(since + policy.idleTTL)
            case .starting, .specialising, .leased, .pausing, .paused, .resuming, .destroying: break
            }
        }
        if let time = stemDeadline { times.append(time) }
        if let time = shareDeadline(shared) { times.append(time) }
        if let backoffUntil, backoffUntil > shared.now, isReachable(shared), !shared.isDraining, isShort(shared.now) {
            times.append(backoffUntil)
        }
        return times.min()
    }

    /// When the oldest stem cell is to go because there are more than are kept.
    var stemDeadline: Double? {
        guard let oldest = stems.first, let since = sandboxes[oldest]?.state.freeSince else { return nil }
        if stems.count > policy.minIdle { return max(since + policy.idleTTL, stemsKeptUntil) }
        return isDeclared ? nil : max(max(since, lastRequestAt) + policy.idleTTL, stemsKeptUntil)
    }

    /// Asks for a tick when this class next has something to do.
    func requestWake(_ shared: inout PoolShared) {
        if let time = deadline(shared) { shared.requestWake(at: max(time, shared.now)) }
    }

    /// Forgets everything about a class that nobody has used for long; true when it just did.
    mutating func retire(now: Double) -> Bool {
        guard isUnused, lastActivityAt + Self.memorySeconds <= now else { return false }
        isRetired = true
        return true
    }
}
