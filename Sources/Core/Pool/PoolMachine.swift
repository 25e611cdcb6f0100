/// Decides which sandboxes are started, leased, prepared and destroyed, and who gets them.
///
/// A pure value: no I/O, no clock, no randomness of its own. Whoever owns it tells it what happened, in any order,
/// and does what it answers, in the answered order. Identical events give identical actions.
package struct PoolMachine: Sendable {
    private var policy: @Sendable (SandboxClass) -> PoolRules
    var shared: PoolShared
    var pools: [ClassPool] = []
    private var slots: [SandboxClass: Int] = [:]
    private var freeSlots: [Int] = []
    private var slotOfSandbox: [SandboxID: Int] = [:]
    private var slotOfRequest: [RequestID: Int] = [:]
    /// Classes that want to start more sandboxes than may start at the same time or have room.
    var line = StartLine()
    /// The most undeclared classes that one tenant may use at a time.
    package var undeclaredMax = 64
    /// The classes that each tenant's requests made.
    var made: [TenantID: [Int]] = [:]
    /// What classes counted that are forgotten.
    var memory = PoolMemory()
    /// The classes that room is made for, and what they were chosen by.
    var needy = NeedyClasses()

    /// Makes a machine without sandboxes.
    ///
    /// - Parameters:
    ///   - engineUp: Whether the container engine answers at present.
    ///   - waitingMax: The most requests that wait, over all classes; further ones are refused.
    ///   - capacity: What all sandboxes together may take; nil as long as that is not known.
    ///   - makeID: Makes a new identifier for each sandbox.
    ///   - policy: The policy of a class, asked when the class is first seen and by `reload`.
    package init(
        engineUp: Bool = true, waitingMax: Int = 1_000_000, capacity: Capacity? = .unlimited,
        makeID: @escaping @Sendable () -> SandboxID = { SandboxID() },
        policy: @escaping @Sendable (SandboxClass) -> PoolRules
    ) {
        self.policy = policy
        shared = PoolShared(
            isEngineUp: engineUp, waitingMax: waitingMax, ledger: AllocationLedger(capacity: capacity), makeID: makeID)
    }

    /// Whether no sandbox is left and no request waits.
    package var isEmpty: Bool { slotOfSandbox.isEmpty && slotOfRequest.isEmpty }

    /// Takes note of an event and says what to do.
    ///
    /// - Parameter now: Seconds of a monotonic clock.
    package mutating func handle(_ event: PoolEvent, now: Double) -> [PoolAction] {
        begin(now)
        switch event {
        case .request(let id, let sandboxClass, let specialisation, let priority, let weight, let turn):
            request(id, sandboxClass, specialisation, priority: priority, weight: weight, turn: turn)
        case .cancelRequest(let id):
            if let slot = slotOfRequest[id] { update(slot) { $0.cancel(id, &$1) } }
        case .started(let id): update(id) { $0.started(id, &$1) }
        case .startFailed(let id, let reason): update(id) { $0.startFailed(id, reason, &$1) }
        case .specialised(let id): update(id) { $0.specialised(id, &$1) }
        case .specialiseFailed(let id, let reason):
            update(id) { $0.specialiseFailed(id, reason, because: .specialiseFailed, &$1) }
        case .released(let id, let slot, let clean, _):
            update(id) { $0.released(id, slot: slot, clean: clean, &$1) }
        case .paused(let id): update(id) { $0.paused(id, &$1) }
        case .resumed(let id): update(id) { $0.resumed(id, &$1) }
        case .pausingFailed(let id, let reason): update(id) { $0.pausingFailed(id, reason, &$1) }
        case .lost(let id, let reason): update(id) { $0.lost(id, reason, &$1) }
        case .removed(let id): update(id) { $0.removed(id, &$1) }
        case .removeFailed(let id, _): update(id) { $0.removeFailed(id, &$1) }
        case .adopted(let id, let sandboxClass, let specialisation, let leased, let uses):
            guard slotOfSandbox[id] == nil else { break }
            update(slot(of: sandboxClass.withoutGrant)) {
                $0.adopt(id, specialisation, leased: leased, uses: uses, grant: sandboxClass.demand, &$1)
            }
        case .declare(let sandboxClass):
            update(slot(of: sandboxClass)) { $0.declare(&$1) }
        case .undeclare(let sandboxClass):
            if let slot = slots[sandboxClass] { update(slot) { $0.undeclare(&$1) } }
        case .tick: tick()
        case .drain:
            shared.isDraining = true
            for slot in pools.indices { update(slot) { $0.drain(&$1) } }
        case .capacity(let capacity): change(capacity)
        case .enginesUp(let isUp):
            shared.isEngineUp = isUp
            for slot in pools.indices { update(slot) { $0.engineChanged(&$1) } }
        }
        return finish()
    }

    /// Takes other policies, by which all classes go from now on, and says what to do.
    package mutating func reload(
        policy: @escaping @Sendable (SandboxClass) -> PoolRules, now: Double
    ) -> [PoolAction] {
        begin(now)
        self.policy = policy
        for slot in pools.indices where !pools[slot].isRetired {
            let rules = policy(pools[slot].sandboxClass)
            update(slot) { $0.reload(rules, &$1) }
        }
        return finish()
    }

    private mutating func begin(_ now: Double) {
        shared.now = Swift.max(now, shared.now)
        shared.mayStart = line.isEmpty ? Int.max : 0
        shared.mayStock = line.isEmpty
        shared.turnOf = nil
    }

    private mutating func finish() -> [PoolAction] {
        serveLine()
        makeRoom()
        let actions = shared.actions
        shared.actions = []
        return actions
    }

    /// A snapshot of each class that is in use or declared, in the order in which they came up.
    ///
    /// - Parameters:
    ///   - tenant: Counts only what belongs to this tenant, and what belongs to nobody.
    ///   - isPublic: Which classes a tenant sees that has nothing in them.
    package func status(
        for tenant: TenantID? = nil, now: Double, isPublic: (SandboxClass) -> Bool = { $0.pool != nil }
    ) -> [PoolStatus] {
        pools.filter { pool in
            guard !pool.isRetired else { return false }
            guard let tenant else { return true }
            // A class of one tenant is nobody else's business, nor are the sizes that others ask for.
            guard [nil, tenant.description].contains(pool.sandboxClass.tenant) else { return false }
            return isPublic(pool.sandboxClass) || pool.concerns(tenant)
        }.map { $0.status(for: tenant, now: now, shared.ledger) }
    }

    /// The places of the classes that have sandboxes.
    var slotsInUse: Set<Int> { Set(slotOfSandbox.values) }

    /// The place of a class that is known.
    func slot(called sandboxClass: SandboxClass) -> Int? { slots[sandboxClass] }

    /// What every sandbox is doing, for tests and diagnosis.
    package var phases: [SandboxID: SandboxPhase] {
        pools.reduce(into: [:]) { phases, pool in
            for (id, sandbox) in pool.sandboxes { phases[id] = sandbox.state.phase }
        }
    }

    /// The earliest time at which something has to be done without an event, for tests and diagnosis.
    package var nextDeadline: Double? {
        (pools.compactMap { $0.deadline(shared) } + [roomDeadline].compactMap { $0 }).min()
    }

    /// What does not agree in the machine's books, for tests; nil when all does.
    package func audit() -> String? {
        let sandboxes = pools.reduce(0) { $0 + $1.total }
        let requests = pools.reduce(0) { $0 + $1.waiting.count + $1.preparing.count }
        let starting = pools.reduce(0) { $0 + $1.count(.starting) }
        guard sandboxes == slotOfSandbox.count else { return "the index of sandboxes is wrong" }
        guard requests == slotOfRequest.count else { return "the index of requests is wrong" }
        guard starting == shared.starting else { return "\(shared.starting) counted as starting, it is \(starting)" }
        if let fault = auditTurns() { return fault }
        return pools.lazy.compactMap { $0.audit() }.first ?? auditRoom() ?? auditClasses()
    }

    private mutating func request(
        _ id: RequestID, _ sandboxClass: SandboxClass, _ specialisation: Specialisation, priority: Int, weight: Int,
        turn: UInt64
    ) {
        guard slotOfRequest[id] == nil else { return }
        guard !shared.isDraining else { return shared.reject(id, .draining, "The engine is shutting down.") }
        guard slotOfRequest.count < shared.waitingMax else {
            return shared.reject(
                id, .queueFull, "Too many jobs wait for a sandbox (\(shared.waitingMax)); submit again later.")
        }
        if let reason = neverFits(sandboxClass) { return shared.reject(id, .limitExceeded, reason) }
        let slot: Int
        if let known = slots[sandboxClass] {
            slot = known
        } else if let reason = refusal(ofClass: sandboxClass, by: specialisation.tenant) {
            return shared.reject(id, .limitExceeded, reason)
        } else {
            slot = makeClass(sandboxClass, for: specialisation.tenant)
        }
        let request = WaitingRequest(
            id: id, specialisation: specialisation, priority: priority, turn: turn, weight: weight, since: shared.now,
            sequence: shared.nextSequence())
        update(slot) { $0.request(request, &$1) }
    }

    /// Lets a class change itself, then follows what it did in the indexes.
    mutating func update(_ slot: Int, _ change: (inout ClassPool, inout PoolShared) -> Void) {
        change(&pools[slot], &shared)
        followUp(slot)
    }

    private mutating func update(_ id: SandboxID, _ change: (inout ClassPool, inout PoolShared) -> Void) {
        if let slot = slotOfSandbox[id] { update(slot, change) }
    }

    private mutating func followUp(_ slot: Int) {
        for id in shared.created { slotOfSandbox[id] = slot }
        for id in shared.forgotten { slotOfSandbox[id] = nil }
        for id in shared.queued { slotOfRequest[id] = slot }
        for id in shared.answered { slotOfRequest[id] = nil }
        shared.created.removeAll(keepingCapacity: true)
        shared.forgotten.removeAll(keepingCapacity: true)
        shared.queued.removeAll(keepingCapacity: true)
        shared.answered.removeAll(keepingCapacity: true)
        if pools[slot].isBlocked {
            pools[slot].isBlocked = false
            line.join(slot)
        }
    }

    mutating func slot(of sandboxClass: SandboxClass) -> Int {
        if let slot = slots[sandboxClass] { return slot }
        let slot = freeSlots.popLast() ?? pools.count
        let pool = ClassPool(sandboxClass, policy(sandboxClass), slot: slot)
        if slot == pools.count { pools.append(pool) } else { pools[slot] = pool }
        slots[sandboxClass] = slot
        return slot
    }

    /// Forgets a class that has just retired.
    mutating func forget(_ slot: Int) {
        remember(slot)
        unmake(slot)
        slots[pools[slot].sandboxClass] = nil
        freeSlots.append(slot)
    }

    private mutating func tick() {
        // Whoever sends ticks has no other on its way, also where this one came early.
        shared.wakeAt = nil
        for slot in pools.indices {
            update(slot) { $0.tick(&$1) }
            if !line.contains(slot), pools[slot].retire(now: shared.now) {
                forget(slot)
            }
        }
        shared.actions.removeAll { if case .wake = $0 { true } else { false } }
        shared.wakeAt = nil
        if let next = nextDeadline { shared.requestWake(at: next) }
    }
}
