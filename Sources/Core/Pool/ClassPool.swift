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

    let sandboxClass: SandboxClass
    let policy: PoolRules
    /// What each sandbox takes of the machine.
    let demand: ResourceDemand
    /// Since when a request of this class has waited for room on the machine.
    var shortSince: Double?
    var isDeclared = false
    var isRetired = false
    /// Whether it wanted to start a sandbox and had to wait for its turn.
    var isBlocked = false
    var waiting = WaitQueue()
    /// Sandboxes that are being prepared for a request.
    var preparing: [RequestID: SandboxID] = [:]
    /// Stem cells, the oldest first.
    var stems: [SandboxID] = []
    /// Free sandboxes by what they are prepared for, the last used one last.
    var idle: [Specialisation: [SandboxID]] = [:]
    var lastRequestAt = -Double.infinity
    var lastActivityAt = -Double.infinity
    var failures = 0
    var lastFailureAt = -Double.infinity
    var backoffUntil: Double?
    var lastError: String?
    var hits = PoolStatus.Hits()
    var destroyed: [String: Int] = [:]
    private(set) var sandboxes: [SandboxID: PooledSandbox] = [:]
    private var counts = [SandboxPhase: Int](uniqueKeysWithValues: SandboxPhase.allCases.map { ($0, 0) })

    init(_ sandboxClass: SandboxClass, _ policy: PoolRules) {
        self.sandboxClass = sandboxClass
        self.policy = policy
        demand = sandboxClass.demand
    }

    var total: Int { sandboxes.count }

    /// Sandboxes that are not on their way out.
    var live: Int { total - count(.destroying) }

    func count(_ phase: SandboxPhase) -> Int { counts[phase] ?? 0 }

    /// All sandboxes, the oldest first, so that nothing depends on the order of a dictionary.
    var inOrder: [PooledSandbox] { sandboxes.values.sorted { $0.sequence < $1.sequence } }

    mutating func insert(_ sandbox: PooledSandbox, _ shared: inout PoolShared) {
        sandboxes[sandbox.id] = sandbox
        counts[sandbox.state.phase, default: 0] += 1
        if sandbox.state.phase == .starting { shared.starting += 1 }
        shared.created.append(sandbox.id)
        lastActivityAt = shared.now
    }

    mutating func forget(_ id: SandboxID, _ shared: inout PoolShared) {
        guard let sandbox = sandboxes.removeValue(forKey: id) else { return }
        counts[sandbox.state.phase, default: 0] -= 1
        shared.forgotten.append(id)
        shared.ledger.release(id)
        lastActivityAt = shared.now
    }

    /// Changes a sandbox's state, with the counts that follow from it.
    mutating func move(_ id: SandboxID, to next: PooledSandbox.State, _ shared: inout PoolShared) {
        guard let old = sandboxes[id]?.state.phase else { return }
        sandboxes[id]?.move(to: next)
        counts[old, default: 0] -= 1
        counts[next.phase, default: 0] += 1
        if old == .starting, next.phase != .starting { shared.starting -= 1 }
    }

    /// Gives the sandbox to the request; what it held before is the caller's matter.
    mutating func lease(
        _ id: SandboxID, _ specialisation: Specialisation, to request: RequestID, _ start: Job.Start,
        _ shared: inout PoolShared
    ) {
        move(id, to: .leased(specialisation, request: request), &shared)
        sandboxes[id]?.uses += 1
        shared.answered.append(request)
        shared.grant(request, id, start)
    }

    /// Prepares the sandbox for a request whose tenant holds it from now on.
    mutating func specialise(_ id: SandboxID, for request: WaitingRequest, _ shared: inout PoolShared) {
        guard let sandbox = sandboxes[id] else { return }
        let start: Job.Start =
            sandbox.tenant != nil ? .warm : sandbox.sequence > request.sequence ? .cold : .stem
        move(id, to: .specialising(request.specialisation, request: request, start: start), &shared)
        preparing[request.id] = id
        shared.queued.append(request.id)
        shared.actions.append(.specialise(id, request.specialisation))
    }

    /// Orders the removal of a sandbox; whoever held it is the caller's matter.
    mutating func destroy(_ id: SandboxID, _ reason: PoolDestroyReason, _ shared: inout PoolShared) {
        guard let state = sandboxes[id]?.state else { return }
        switch state {
        case .starting, .leased: break
        case .stem: stems.removeAll { $0 == id }
        case .specialising(_, let request, _):
            if let request { preparing[request.id] = nil }
        case .idle(let specialisation, _): unlist(id, specialisation)
        case .destroying: return
        }
        move(id, to: .destroying(reason, failures: 0, retryAt: nil), &shared)
        destroyed[reason.rawValue, default: 0] += 1
        shared.ledger.leave(id)
        shared.actions.append(.destroy(id, reason))
    }

    /// Takes a sandbox out of the list of free ones.
    mutating func unlist(_ id: SandboxID, _ specialisation: Specialisation) {
        idle[specialisation]?.removeAll { $0 == id }
        if idle[specialisation]?.isEmpty == true { idle[specialisation] = nil }
    }
}
