// What happens because time passes.
extension ClassPool {
    mutating func tick(_ shared: inout PoolShared) {
        for sandbox in inOrder {
            switch sandbox.state {
            case .starting, .specialising, .leased: break
            case .stem: _ = discardExpired(sandbox.id, &shared)
            case .idle(_, let since):
                if discardExpired(sandbox.id, &shared) { continue }
                if since + policy.idleTTL <= shared.now { destroy(sandbox.id, .idle, &shared) }
            case .destroying(let reason, let failures, let retryAt):
                guard let retryAt, retryAt <= shared.now else { continue }
                move(sandbox.id, to: .destroying(reason, failures: failures, retryAt: nil), &shared)
                shared.actions.append(.destroy(sandbox.id, reason))
            }
        }
        while stems.count > stemsWanted(shared.now), let time = stemDeadline, time <= shared.now,
            let oldest = stems.first
        {
            destroy(oldest, .idle, &shared)
        }
        settle(&shared)
    }

    /// The earliest time at which this class has to do something without an event.
    func deadline(_ shared: PoolShared) -> Double? {
        var times: [Double] = []
        for sandbox in sandboxes.values {
            switch sandbox.state {
            case .starting, .specialising, .leased: break
            case .stem:
                if policy.maxAge > 0 { times.append(sandbox.createdAt + policy.maxAge) }
            case .idle(_, let since):
                times.append(since + policy.idleTTL)
                if policy.maxAge > 0 { times.append(sandbox.createdAt + policy.maxAge) }
            case .destroying(_, _, let retryAt):
                if let retryAt { times.append(retryAt) }
            }
        }
        if let time = stemDeadline { times.append(time) }
        if let backoffUntil, backoffUntil > shared.now, isReachable(shared), !shared.isDraining, isShort(shared.now) {
            times.append(backoffUntil)
        }
        return times.min()
    }

    /// When the oldest stem cell is to go because there are more than are kept.
    var stemDeadline: Double? {
        guard let oldest = stems.first, case .stem(let since)? = sandboxes[oldest]?.state else { return nil }
        if stems.count > policy.minIdle { return since + policy.idleTTL }
        return isDeclared ? nil : max(since, lastRequestAt) + policy.idleTTL
    }

    /// Forgets everything about a class that nobody has used for long; true when it just did.
    mutating func retire(now: Double) -> Bool {
        guard !isRetired, !isDeclared, total == 0, waiting.count == 0, lastActivityAt + Self.memorySeconds <= now
        else { return false }
        isRetired = true
        return true
    }
}
