/// One sandbox as the pool sees it.
struct PooledSandbox: Sendable {
    /// What the sandbox is doing, with the data that only this state has.
    enum State: Sendable, Equatable {
        /// Ordered, not connected yet.
        case starting
        /// Connected, never used, owned by nobody.
        case stem(since: Double)
        /// Being prepared for a tenant; `request` is nil when the request was cancelled meanwhile.
        case specialising(Specialisation, request: WaitingRequest?, start: Job.Start)
        /// Prepared and free.
        case idle(Specialisation, since: Double)
        /// In use, by one task or more.
        case leased(Specialisation)
        /// Being frozen while free; without a specialisation it is a stem cell. A request may have it already.
        case pausing(Specialisation?, since: Double, request: WaitingRequest?)
        /// Frozen and free.
        case paused(Specialisation?, since: Double)
        /// Being thawed; `request` is nil when the request was cancelled meanwhile.
        case resuming(Specialisation?, request: WaitingRequest?)
        /// To be removed; `retryAt` says when a failed removal is ordered again.
        case destroying(PoolDestroyReason, failures: Int, retryAt: Double?)

        var phase: SandboxPhase {
            switch self {
            case .starting: .starting
            case .stem: .stem
            case .specialising: .specialising
            case .idle: .idle
            case .leased: .leased
            case .pausing: .pausing
            case .paused: .paused
            case .resuming: .resuming
            case .destroying: .destroying
            }
        }

        /// The specialisation that the sandbox has or is about to have.
        var specialisation: Specialisation? {
            switch self {
            case .specialising(let specialisation, _, _), .idle(let specialisation, _), .leased(let specialisation):
                specialisation
            case .pausing(let specialisation, _, _), .paused(let specialisation, _), .resuming(let specialisation, _):
                specialisation
            case .starting, .stem, .destroying: nil
            }
        }

        /// The request that has the sandbox and does not run in it yet.
        var request: WaitingRequest? {
            switch self {
            case .specialising(_, let request, _), .pausing(_, _, let request), .resuming(_, let request): request
            case .starting, .stem, .idle, .leased, .paused, .destroying: nil
            }
        }

        /// Since when the sandbox is free, frozen or not; nil while somebody has it.
        var freeSince: Double? {
            switch self {
            case .stem(let since), .idle(_, let since), .paused(_, let since), .pausing(_, let since, nil): since
            case .starting, .specialising, .leased, .pausing, .resuming, .destroying: nil
            }
        }
    }

    let id: SandboxID
    /// Its place among all requests and starts of the machine.
    let sequence: UInt64
    /// When its start was ordered.
    let createdAt: Double
    /// The tenant whose turn to start one it was; nil where nobody waited for it.
    let startedFor: TenantID?
    /// How often it was leased, in an earlier run of the engine too.
    private(set) var uses: Int
    /// How many of these leases were in an earlier run.
    private let usesBefore: Int
    /// The slots in which a task runs, a bit for each.
    private(set) var busy: UInt64 = 0
    /// Why it is destroyed when its last lease is over; no new lease begins.
    var ending: PoolDestroyReason?
    /// The tenant that it serves ever after its first specialisation.
    private(set) var tenant: TenantID?
    private(set) var state: State

    init(
        id: SandboxID, sequence: UInt64, createdAt: Double, state: State, startedFor: TenantID? = nil, uses: Int = 0,
        busy: UInt64 = 0
    ) {
        self.id = id
        self.startedFor = startedFor
        self.sequence = sequence
        self.createdAt = createdAt
        self.state = state
        self.uses = uses
        self.busy = busy
        usesBefore = uses
        tenant = state.specialisation?.tenant
    }

    /// Leases of this run.
    var leases: Int { uses - usesBefore }

    /// Changes the state; an illegal change or a second tenant is a bug of the pool and traps.
    mutating func move(to next: State) {
        precondition(state.phase.allows(next.phase), "a sandbox may not go from \(state.phase) to \(next.phase)")
        if let owner = next.specialisation?.tenant {
            precondition(tenant == nil || tenant == owner, "a sandbox may not change its tenant")
            tenant = owner
        }
        state = next
    }

    /// Begins a lease in the lowest free slot, which is answered with the phase before.
    mutating func lease(_ specialisation: Specialisation) -> (before: SandboxPhase, slot: Int) {
        let before = state.phase
        move(to: .leased(specialisation))
        let slot = (~busy).trailingZeroBitCount
        busy |= 1 << UInt64(slot)
        uses += 1
        return (before, slot)
    }

    /// Ends the lease of a slot; false when there was none.
    mutating func release(slot: Int) -> Bool {
        let bit: UInt64 = (0..<64).contains(slot) ? 1 << UInt64(slot) : 0
        guard busy & bit != 0 else { return false }
        busy &= ~bit
        return true
    }

    /// Whether a slot of so many is free.
    func hasFreeSlot(of slots: Int) -> Bool { busy.nonzeroBitCount < slots }

    /// Whether it is too old to be used again.
    func isExpired(_ policy: PoolRules, now: Double) -> Bool {
        policy.maxAge > 0 && createdAt + policy.maxAge <= now
    }

    /// Whether it has had its number of leases.
    func isWorn(_ policy: PoolRules) -> Bool { policy.maxUses > 0 && uses >= policy.maxUses }
}

/// The states of a sandbox without their data; the diagram is in `docs/pool-states.md`.
package enum SandboxPhase: String, Sendable, CaseIterable {
    /// Ordered, not connected yet.
    case starting
    /// Connected and never used.
    case stem
    /// Being prepared for a tenant.
    case specialising
    /// Prepared and free.
    case idle
    /// In use.
    case leased
    /// Being frozen.
    case pausing
    /// Frozen, and free.
    case paused
    /// Being thawed.
    case resuming
    /// To be removed.
    case destroying

    /// The states that may follow this one; a sandbox is forgotten from `destroying` when it is removed.
    package var successors: [SandboxPhase] {
        switch self {
        case .starting: [.stem, .destroying]
        case .stem: [.specialising, .pausing, .destroying]
        case .specialising: [.specialising, .leased, .idle, .destroying]
        case .idle: [.leased, .specialising, .pausing, .destroying]
        case .leased: [.leased, .specialising, .idle, .destroying]
        case .pausing: [.pausing, .paused, .resuming, .destroying]
        case .paused: [.resuming, .destroying]
        case .resuming: [.resuming, .leased, .specialising, .idle, .stem, .destroying]
        case .destroying: [.destroying]
        }
    }

    /// Whether a sandbox in this state may go to `next`.
    func allows(_ next: SandboxPhase) -> Bool {
        // The way of every warm task, without a list.
        if self == .leased || self == .idle, next == .leased { return true }
        return successors.contains(next)
    }

    /// Its place in a list of all phases.
    var place: Int {
        switch self {
        case .starting: 0
        case .stem: 1
        case .specialising: 2
        case .idle: 3
        case .leased: 4
        case .pausing: 5
        case .paused: 6
        case .resuming: 7
        case .destroying: 8
        }
    }
}
