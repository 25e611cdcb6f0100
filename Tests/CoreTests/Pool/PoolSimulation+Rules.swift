import SlipwayCore

// What must hold after every step.
extension PoolSimulation {
    mutating func check() throws {
        let phases = machine.phases
        let existing = sandboxes.filter { !$0.value.isGone }
        guard phases.count == existing.count else { throw violation("the machine forgot or invented a sandbox") }
        for (id, sandbox) in existing {
            guard let phase = phases[id] else { throw violation("the machine does not know \(id)") }
            guard agrees(phase, sandbox) else { throw violation("\(id) is \(sandbox), the machine says \(phase)") }
        }
        if isTracing || clock % 4 == 0, let fault = machine.audit() { throw violation("the books are wrong: \(fault)") }
        for number in classes.indices {
            ceilings[number] = max(Self.ceiling(policies[number]), min(ceilings[number], present(number).count))
        }
        try checkPools(phases)
        if let deadline = machine.nextDeadline {
            guard let timer, timer <= max(deadline, now) else {
                throw violation("something is due at \(deadline), the tick comes at \(String(describing: timer))")
            }
        }
    }

    /// Throws when a tick would change something before the time for which the machine asked for one.
    func checkQuiet() throws {
        guard let timer, isTracing || clock % 3 == 0 else { return }
        for wait in [0, 0.5, 3, 100] where now + wait < timer {
            var copy = machine
            let actions = copy.handle(.tick, now: now + wait).filter { if case .wake = $0 { false } else { true } }
            guard actions.isEmpty else {
                throw violation("a tick at \(now + wait) does \(actions), and the next one comes at \(timer)")
            }
        }
    }

    private func agrees(_ phase: SandboxPhase, _ sandbox: Sandbox) -> Bool {
        switch phase {
        case .starting: !sandbox.isConnected && !sandbox.isDoomed
        case .stem: sandbox.isConnected && sandbox.rest == .awake && sandbox.owner == nil && !sandbox.isDoomed
        case .specialising: sandbox.isPreparing && !sandbox.isLeased && !sandbox.isDoomed
        case .idle:
            sandbox.rest == .awake && !sandbox.isPreparing && !sandbox.isLeased && sandbox.owner != nil
                && !sandbox.isDoomed
        case .pausing: sandbox.rest == .pausing && !sandbox.isPreparing && !sandbox.isLeased && !sandbox.isDoomed
        case .paused: sandbox.rest == .paused && !sandbox.isPreparing && !sandbox.isLeased && !sandbox.isDoomed
        case .resuming: sandbox.rest == .resuming && !sandbox.isPreparing && !sandbox.isLeased && !sandbox.isDoomed
        case .leased: sandbox.isLeased && !sandbox.isDoomed
        case .destroying: sandbox.isDoomed && !sandbox.isLeased
        }
    }

    /// Sandboxes that are kept for whoever comes next, frozen ones included.
    private func stems(_ number: Int) -> Int {
        present(number).count {
            $0.isConnected && $0.owner == nil && !$0.isDoomed && !$0.isPreparing && $0.rest != .resuming
        }
    }

    private func checkPools(_ phases: [SandboxID: SandboxPhase]) throws {
        let pools = machine.status(now: now)
        let starting = pools.reduce(0) { $0 + $1.starting }
        var waiting = 0
        for pool in pools {
            waiting += pool.waiting
            guard let number = classes.firstIndex(where: { $0.image == pool.image }) else {
                throw violation("a status of an unknown class")
            }
            let policy = policies[number]
            let total = pool.warm + pool.busy + pool.stem + pool.paused + pool.starting + pool.destroying
            guard total == present(number).count else { throw violation("the status does not add up") }
            guard total <= ceilings[number] else { throw violation("above max") }
            guard starting <= policy.startingMax else { throw violation("too many are starting") }
            if isDraining {
                guard pool.waiting + pool.warm + pool.stem + pool.paused + pool.starting == 0 else {
                    throw violation("a draining pool keeps sandboxes or requests")
                }
                continue
            }
            // With slots, what waits may have a slot of a sandbox that is being prepared.
            let isSingle = classes[number].slots == 1
            let isPreparing = sandboxes.contains { id, sandbox in
                sandbox.sandboxClass == number && [.specialising, .pausing, .resuming].contains(phases[id])
            }
            guard pool.waiting == 0 || pool.stem == 0 || (!isSingle && isPreparing) else {
                throw violation("a request waits beside a stem cell")
            }
            let mayStart =
                (isEngineUp || pool.runtime == "process") && pool.backoffSeconds == nil && (timer ?? .infinity) > now
            let waits = isSingle ? pool.waiting : isPreparing ? 0 : min(1, pool.waiting)
            let isShort =
                waits > pool.starting
                || (declared.contains(number) && stems(number) + pool.starting < min(1, pool.minIdle))
            if mayStart, isShort, total < policy.max, starting < policy.startingMax, hasRoom(number),
                !pools.contains(where: { $0.waitsFor != nil })
            {
                throw violation("nothing starts although it is needed and allowed: \(pool)")
            }
        }
        let preparing = phases.values.count { [.specialising, .pausing, .resuming].contains($0) }
        guard (waiting...waiting + preparing).contains(outstanding.count) else {
            throw violation("\(waiting) requests wait, \(outstanding.count) were asked for and not answered")
        }
        for tenant in tenants {
            for pool in machine.status(for: tenant, now: now) where pool.waiting > 0 && pool.warm > 0 {
                throw violation("\(tenant) waits beside a free sandbox of its own")
            }
        }
    }
}
