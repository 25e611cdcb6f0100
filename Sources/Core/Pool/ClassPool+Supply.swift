// Supply: who gets a stem cell, what is started, and what makes room.
extension ClassPool {
    /// Whether starts are possible at all for this class.
    func isReachable(_ shared: PoolShared) -> Bool {
        shared.isEngineUp || sandboxClass.runtime == SandboxClass.processRuntime
    }

    /// Whether a start may be ordered now, apart from its number.
    func canStart(_ shared: PoolShared) -> Bool {
        !shared.isDraining && isReachable(shared) && (backoffUntil ?? shared.now) <= shared.now
    }

    /// Stem cells to keep at this time.
    func stemsWanted(_ now: Double) -> Int {
        // A device that nobody uses is for whoever asks next, of whatever tenant.
        guard sandboxClass.gpus == nil else { return 0 }
        return isDeclared || lastRequestAt + policy.idleTTL > now ? policy.minIdle : 0
    }

    /// Hands out what is free and orders what is missing; does nothing when nothing changed.
    mutating func settle(_ shared: inout PoolShared) {
        while waiting.count > 0, let stem = takeStem(&shared) {
            guard let tenant = waiting.nextTenant(), let next = waiting.takeHead(of: tenant, now: shared.now) else {
                stems.append(stem)
                break
            }
            specialise(stem, for: next, &shared)
        }
        if waiting.count <= count(.starting) || total >= policy.ceiling { enoughRoom(&shared) }
        guard canStart(shared) else {
            enoughRoom(&shared)
            if let backoffUntil, isReachable(shared), !shared.isDraining, isShort(shared.now) {
                shared.requestWake(at: backoffUntil)
            }
            return
        }
        while waiting.count > count(.starting), total < policy.ceiling, start(&shared) {}
        makeRoom(&shared)
        while isShortOfStems(shared.now), total < policy.max, start(forStock: true, &shared) {}
    }

    /// Whether a request waits or stem cells are missing.
    func isShort(_ now: Double) -> Bool { waiting.count > 0 || isShortOfStems(now) }

    private func isShortOfStems(_ now: Double) -> Bool {
        stems.count + max(0, count(.starting) - waiting.count) < stemsWanted(now)
    }

    /// Whether a sandbox of this tenant, just released, is better replaced by one for another tenant.
    mutating func shouldYield(_ tenant: TenantID, _ shared: PoolShared) -> Bool {
        guard waiting.count > 0, total >= policy.ceiling || shortSince != nil, count(.idle) == 0, canStart(shared),
            let needy = waiting.nextTenant(), needy != tenant
        else { return false }
        let coming = count(.starting) + count(.destroying)
        let needyHolds = waiting.held(by: needy)
        // Where the machine has no room for more, what there is is what is shared.
        let most = shortSince == nil ? policy.max : min(policy.max, total)
        let missing = min(waiting.share(of: needy, max: most) - needyHolds, waiting.waiting(needy))
        guard coming < missing, coming < policy.startingMax else { return false }
        if waiting.held(by: tenant) + 1 > waiting.share(of: tenant, max: most) { return true }
        guard needyHolds == 0, let since = waiting.needySince(needy) else { return false }
        return since + Self.patience <= shared.now
    }

    /// The free sandbox that was used longest ago, of one tenant or of all.
    func leastRecentlyUsed(of tenant: TenantID? = nil) -> (SandboxID, Specialisation)? {
        guard count(.idle) > 0 else { return nil }
        var best: (since: Double, sequence: UInt64, id: SandboxID, specialisation: Specialisation)?
        for sandbox in sandboxes.values {
            guard case .idle(let specialisation, let since) = sandbox.state,
                tenant == nil || tenant == specialisation.tenant
            else { continue }
            if let best, (best.since, best.sequence) < (since, sandbox.sequence) { continue }
            best = (since, sandbox.sequence, sandbox.id, specialisation)
        }
        return best.map { ($0.id, $0.specialisation) }
    }

    /// The youngest stem cell, taken off the list.
    mutating func takeStem(_ shared: inout PoolShared) -> SandboxID? {
        while let id = stems.last {
            if discardExpired(id, &shared) { continue }
            stems.removeLast()
            return id
        }
        return nil
    }

    /// Destroys a free sandbox that is too old; true when it was.
    mutating func discardExpired(_ id: SandboxID, _ shared: inout PoolShared) -> Bool {
        guard sandboxes[id]?.isExpired(policy, now: shared.now) == true else { return false }
        destroy(id, .maxAge, &shared)
        return true
    }

    /// Destroys free sandboxes for requests that nothing free, starting or leaving will serve.
    private mutating func makeRoom(_ shared: inout PoolShared) {
        while let (id, _) = leastRecentlyUsed() {
            let coming = count(.starting) + count(.destroying)
            let isFull = total >= policy.ceiling && waiting.count > coming && coming < policy.startingMax
            guard isFull || live > policy.max else { return }
            destroy(id, isFull ? .evicted : .surplus, &shared)
        }
    }

    /// Orders a start, unless too many are starting, it is another class's turn or the machine has no room.
    ///
    /// - Parameter forStock: Whether nobody waits for the sandbox; then it takes no room that somebody waits for.
    private mutating func start(forStock: Bool = false, _ shared: inout PoolShared) -> Bool {
        guard shared.starting < policy.startingMax, shared.mayStart > 0, !forStock || shared.shortClasses == 0 else {
            isBlocked = true
            return false
        }
        let id = shared.makeID()
        guard let devices = shared.ledger.reserve(id, demand) else {
            isBlocked = true
            if !forStock { lackRoom(&shared) }
            return false
        }
        if !forStock { enoughRoom(&shared) }
        shared.mayStart -= 1
        let sandbox = PooledSandbox(
            id: id, sequence: shared.nextSequence(), createdAt: shared.now, state: .starting)
        insert(sandbox, &shared)
        shared.actions.append(.start(sandbox.id, sandboxClass.granting(devices)))
        return true
    }
}
