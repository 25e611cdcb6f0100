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

    /// Stem cells to keep at this time: those of the policy, and more while they are being taken quickly.
    func stemsWanted(_ now: Double) -> Int {
        // A device that nobody uses is for whoever asks next, of whatever tenant.
        guard policy.minIdle > 0, sandboxClass.gpus == nil, isDeclared || lastRequestAt + policy.idleTTL > now else {
            return 0
        }
        return min(policy.max, policy.minIdle + pace.extra(now))
    }

    /// Hands out what is free and orders what is missing; does nothing when nothing changed.
    mutating func settle(_ shared: inout PoolShared) {
        while waiting.count > 0, wanted > 0, let stem = takeStem(&shared) {
            guard let tenant = waiting.nextTenant(), let next = waiting.takeHead(of: tenant, now: shared.now) else {
                stems.append(stem)
                break
            }
            give(stem, to: next, &shared)
        }
        if waiting.count == 0 || wanted <= count(.starting) || total >= policy.ceiling { enoughRoom(&shared) }
        guard canStart(shared) else {
            enoughRoom(&shared)
            if let backoffUntil, isReachable(shared), !shared.isDraining, isShort(shared.now) {
                shared.requestWake(at: backoffUntil)
            }
            return
        }
        while waiting.count > 0, wanted > count(.starting), total < policy.ceiling, start(&shared) {}
        makeRoom(&shared)
        while isShortOfStems(shared.now), total < policy.max, start(forStock: true, &shared) {}
        if let time = shareDeadline(shared) { shared.requestWake(at: time) }
    }

    /// Whether a request waits for a sandbox or stem cells are missing.
    func isShort(_ now: Double) -> Bool { waiting.count > 0 || isShortOfStems(now) }

    func isShortOfStems(_ now: Double) -> Bool {
        let kept = stemsWanted(now)
        return kept > 0 && stems.count + max(0, count(.starting) - wanted) < kept
    }

    /// Whether a sandbox of this tenant, just released, is better replaced by one for another tenant.
    mutating func shouldYield(_ tenant: TenantID, _ shared: PoolShared) -> Bool {
        guard waiting.count > 0, total >= policy.ceiling || shortSince != nil, canStart(shared),
            let needy = waiting.nextTenant(), needy != tenant,
            // A free sandbox goes first, unless its tenant keeps it.
            idleCount == 0 || evictable(shared) == nil
        else { return false }
        let coming = count(.starting) + count(.destroying) + endingCount
        let needyHas = owned[needy, default: 0]
        let needyWants = (waiting.waiting(needy) + slots - 1) / slots
        // Where the machine has no room for more, what there is is what is shared.
        let most = shortSince == nil ? policy.max : min(policy.max, total)
        let missing = min(waiting.share(of: needy, max: most) - needyHas, needyWants)
        guard coming < missing, coming < policy.startingMax else { return false }
        if owned[tenant, default: 0] > waiting.share(of: tenant, max: most) { return true }
        guard needyHas == 0, let since = waiting.needySince(needy) else { return false }
        return since + Self.patience <= shared.now
    }

    /// The free sandbox that was used longest ago, among the tenants that `isWanted` names.
    func leastRecentlyUsed(
        where isWanted: (TenantID) -> Bool = { _ in true }
    ) -> (SandboxID, Specialisation)? {
        guard idleCount > 0 else { return nil }
        var best: (since: Double, sequence: UInt64, id: SandboxID, specialisation: Specialisation)?
        for sandbox in sandboxes.values {
            guard let since = sandbox.state.freeSince, let specialisation = sandbox.state.specialisation,
                isWanted(specialisation.tenant)
            else { continue }
            if let best, (best.since, best.sequence) < (since, sandbox.sequence) { continue }
            best = (since, sandbox.sequence, sandbox.id, specialisation)
        }
        return best.map { ($0.id, $0.specialisation) }
    }

    /// The youngest stem cell, taken off the list; a frozen one only where there is no other.
    mutating func takeStem(_ shared: inout PoolShared) -> SandboxID? {
        while !stems.isEmpty {
            let awake = stems.lastIndex { id in
                if case .stem? = sandboxes[id]?.state { true } else { false }
            }
            let place = awake ?? stems.count - 1
            if discardExpired(stems[place], &shared) { continue }
            return stems.remove(at: place)
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
        while idleCount > 0 {
            if live - endingCount > policy.max, let (id, _) = leastRecentlyUsed() {
                destroy(id, .surplus, &shared)
                continue
            }
            let coming = count(.starting) + count(.destroying) + endingCount
            guard total >= policy.ceiling, waiting.count > 0, wanted > coming, coming < policy.startingMax,
                let (id, _) = evictable(shared)
            else { return }
            destroy(id, .evicted, &shared)
        }
    }

    /// The free sandbox that makes room for the tenant whose turn it is.
    ///
    /// No tenant that was active lately is brought below its share by it.
    private mutating func evictable(_ shared: PoolShared) -> (SandboxID, Specialisation)? {
        guard let needy = waiting.nextTenant() else { return nil }
        let shares = activeShares(shared)
        return leastRecentlyUsed { tenant in
            tenant != needy && Double(owned[tenant, default: 0]) > (shares[tenant] ?? 0).rounded(.down)
        }
    }

    /// When the next tenant's share ends that keeps a free sandbox from those that wait; nil when none does.
    func shareDeadline(_ shared: PoolShared) -> Double? {
        guard waiting.count > 0, idleCount > 0, total >= policy.ceiling, canStart(shared) else { return nil }
        return sandboxes.values.compactMap { sandbox in
            guard sandbox.state.specialisation != nil, let since = sandbox.state.freeSince else { return nil }
            return since + policy.fairWindow
        }.filter { $0 > shared.now }.min()
    }

    /// How many sandboxes each active tenant may keep: `max` by weight among those that use the class or lately did.
    func activeShares(_ shared: PoolShared) -> [TenantID: Double] {
        var weights = waiting.weights
        for sandbox in sandboxes.values {
            guard let tenant = sandbox.state.specialisation?.tenant, weights[tenant] == nil else { continue }
            if let since = sandbox.state.freeSince, since + policy.fairWindow <= shared.now { continue }
            weights[tenant] = 1
        }
        let all = Double(weights.values.reduce(0, +))
        return weights.mapValues { Double(policy.max) * Double($0) / all }
    }

    /// Orders a start, unless too many are starting, it is another class's turn or the machine has no room.
    ///
    /// - Parameter forStock: Whether nobody waits for the sandbox; then it takes no room that somebody waits for.
    private mutating func start(forStock: Bool = false, _ shared: inout PoolShared) -> Bool {
        guard shared.starting < policy.startingMax, shared.mayStart > 0,
            !forStock || shared.mayStock(demand)
        else {
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
            id: id, sequence: shared.nextSequence(), createdAt: shared.now, state: .starting,
            startedFor: forStock ? nil : shared.turnOf ?? waiting.nextTenant())
        insert(sandbox, &shared)
        shared.actions.append(.start(sandbox.id, sandboxClass.granting(devices)))
        return true
    }
}
