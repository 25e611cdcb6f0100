/// The sandboxes of one class and the requests that wait for them.
struct ClassPool: Sendable {
    /// Rounds of failed starts in a row after which requests that hold nothing are refused.
    static let failuresMax = 5
    /// Sandboxes that may fail while they are prepared for one request.
    static let specialiseFailuresMax = 3
    /// Seconds without being served at all after which a tenant gets a sandbox of one that is within its share.
    static let patience = 2.0
    /// Seconds for which a class without sandboxes is remembered, with its failures.
    static let memorySeconds = 600.0
    /// Seconds before a failed removal is ordered again, doubled each time up to the second value.
    static let removeRetry = (first: 1.0, most: 60.0)

    /// Seconds until stem cells beyond those of the policy are looked at again.
    static let lookAgain = 1.0

    let sandboxClass: SandboxClass
    /// Its place among the classes of the machine.
    let slot: Int
    var policy: PoolRules
    /// What each sandbox takes of the machine.
    let demand: ResourceDemand
    /// Since when a request of this class has waited for room on the machine.
    var shortSince: Double?
    var isDeclared = false
    /// The tenant whose request made the class; nil for one that the configuration or an earlier run did.
    var maker: TenantID?
    var isRetired = false
    /// Whether it just wanted to start a sandbox and has to wait for its turn.
    var isBlocked = false
    var waiting = WaitQueue()
    /// Sandboxes that a request has and that are not ready for it yet.
    var preparing: [RequestID: SandboxID] = [:]
    /// Stem cells, frozen ones included, the oldest first.
    var stems: [SandboxID] = []
    /// Free sandboxes by what they are prepared for, frozen ones included, the last used one last.
    var idle: [Specialisation: [SandboxID]] = [:]
    /// How many those are.
    var idleCount = 0
    /// Leased sandboxes with a free slot, by what they are prepared for; empty where there is one slot.
    var open: [Specialisation: [SandboxID]] = [:]
    /// Slots that sandboxes under preparation will have left; empty where there is one slot.
    var seatsComing: [Specialisation: Int] = [:]
    /// Sandboxes in use that are destroyed after their last lease.
    private(set) var endingCount = 0
    /// How many sandboxes each tenant has, those on their way out left out.
    var owned: [TenantID: Int] = [:]
    var lastRequestAt = -Double.infinity
    var lastActivityAt = -Double.infinity
    /// Until when stem cells beyond those of the policy stay, since they are being taken quickly.
    var stemsKeptUntil = -Double.infinity
    var failures = 0
    var lastFailureAt = -Double.infinity
    var backoffUntil: Double?
    var lastError: String?
    /// How fast stem cells are needed, and how long they take to start.
    var pace = PoolPace()
    var tally = PoolTally()
    var tallies: [TenantID: PoolTally] = [:]
    private(set) var sandboxes: [SandboxID: PooledSandbox] = [:]
    private var counts = [Int](repeating: 0, count: SandboxPhase.allCases.count)

    init(_ sandboxClass: SandboxClass, _ policy: PoolRules, slot: Int) {
        self.sandboxClass = sandboxClass
        self.slot = slot
        self.policy = policy
        demand = sandboxClass.demand
    }

    var slots: Int { sandboxClass.slots }

    var total: Int { sandboxes.count }

    /// Sandboxes that are not on their way out.
    var live: Int { total - count(.destroying) }

    func count(_ phase: SandboxPhase) -> Int { counts[phase.place] }

    /// All sandboxes, the oldest first, so that nothing depends on the order of a dictionary.
    var inOrder: [PooledSandbox] { sandboxes.values.sorted { $0.sequence < $1.sequence } }

    mutating func insert(_ sandbox: PooledSandbox, _ shared: inout PoolShared) {
        sandboxes[sandbox.id] = sandbox
        counts[sandbox.state.phase.place] += 1
        if sandbox.state.phase == .starting { shared.began(for: sandbox.startedFor) }
        if let tenant = sandbox.tenant { owned[tenant, default: 0] += 1 }
        countSeats(of: sandbox.state, by: 1)
        shared.created.append(sandbox.id)
        lastActivityAt = shared.now
    }

    mutating func forget(_ id: SandboxID, _ shared: inout PoolShared) {
        guard let sandbox = sandboxes.removeValue(forKey: id) else { return }
        counts[sandbox.state.phase.place] -= 1
        shared.forgotten.append(id)
        shared.ledger.release(id)
        lastActivityAt = shared.now
    }

    /// Changes a sandbox's state, with the counts that follow from it.
    mutating func move(_ id: SandboxID, to next: PooledSandbox.State, _ shared: inout PoolShared) {
        guard let old = sandboxes[id] else { return }
        sandboxes[id]?.move(to: next)
        counts[old.state.phase.place] -= 1
        counts[next.phase.place] += 1
        if old.state.phase == .starting, next.phase != .starting { shared.ended(for: old.startedFor) }
        if let owner = next.specialisation?.tenant, old.tenant == nil { owned[owner, default: 0] += 1 }
        if case .destroying = next, old.state.phase != .destroying, let tenant = old.tenant { disown(tenant) }
        countSeats(of: old.state, by: -1)
        countSeats(of: next, by: 1)
    }

    /// Gives a slot of the sandbox to the request; what it held before is the caller's matter.
    mutating func lease(
        _ id: SandboxID, _ specialisation: Specialisation, to request: RequestID, _ start: Job.Start,
        _ shared: inout PoolShared
    ) {
        let before = slots > 1 ? sandboxes[id]?.state : nil
        guard let (phase, slot) = sandboxes[id]?.lease(specialisation) else { return }
        counts[phase.place] -= 1
        counts[SandboxPhase.leased.place] += 1
        shared.answered.append(request)
        shared.grant(request, id, start, slot: slot)
        guard slots > 1 else { return }
        if let before { countSeats(of: before, by: -1) }
        list(open: id, specialisation)
    }

    /// Ends the lease of a slot; false when there was none.
    mutating func vacate(_ id: SandboxID, slot: Int) -> Bool { sandboxes[id]?.release(slot: slot) ?? false }

    /// Has a sandbox serve nobody new and be destroyed after its last lease.
    mutating func end(_ id: SandboxID, _ reason: PoolDestroyReason) {
        guard let sandbox = sandboxes[id], sandbox.ending == nil else { return }
        sandboxes[id]?.ending = reason
        endingCount += 1
        if let specialisation = sandbox.state.specialisation { unlist(open: id, specialisation) }
    }

    /// Prepares the sandbox for a request whose tenant holds it from now on.
    mutating func specialise(_ id: SandboxID, for request: WaitingRequest, _ shared: inout PoolShared) {
        guard let start = kindOfStart(id, for: request) else { return }
        if start != .warm { pace.took(now: shared.now) }
        move(id, to: .specialising(request.specialisation, request: request, start: start), &shared)
        preparing[request.id] = id
        shared.queued.append(request.id)
        shared.actions.append(.specialise(id, request.specialisation))
    }

    /// Orders the removal of a sandbox; whoever held it is the caller's matter.
    mutating func destroy(_ id: SandboxID, _ reason: PoolDestroyReason, _ shared: inout PoolShared) {
        guard let sandbox = sandboxes[id] else { return }
        switch sandbox.state {
        case .starting: break
        case .stem, .pausing(nil, _, nil), .paused(nil, _): stems.removeAll { $0 == id }
        case .idle(let specialisation, _), .pausing(let specialisation?, _, nil), .paused(let specialisation?, _):
            unlist(id, specialisation)
        case .leased(let specialisation): unlist(open: id, specialisation)
        case .specialising(_, let request, _), .pausing(_, _, let request), .resuming(_, let request):
            if let request { preparing[request.id] = nil }
        case .destroying: return
        }
        move(id, to: .destroying(reason, failures: 0, retryAt: nil), &shared)
        if sandbox.ending != nil { endingCount -= 1 }
        count(destroyed: sandbox, reason)
        shared.ledger.leave(id)
        shared.actions.append(.destroy(id, reason))
    }

    /// Whether a sandbox was there before a request that it is given to.
    private func kindOfStart(_ id: SandboxID, for request: WaitingRequest) -> Job.Start? {
        guard let sandbox = sandboxes[id] else { return nil }
        return sandbox.tenant != nil ? .warm : sandbox.sequence > request.sequence ? .cold : .stem
    }

    private mutating func disown(_ tenant: TenantID) {
        let left = owned[tenant, default: 1] - 1
        owned[tenant] = left > 0 ? left : nil
    }
}
