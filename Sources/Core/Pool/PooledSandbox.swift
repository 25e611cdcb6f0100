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
        /// In use; `request` is nil for a lease of an earlier run.
        case leased(Specialisation, request: RequestID?)
        /// To be removed; `retryAt` says when a failed removal is ordered again.
        case destroying(PoolDestroyReason, failures: Int, retryAt: Double?)

        var phase: SandboxPhase {
            switch self {
            case .starting: .starting
            case .stem: .stem
            case .specialising: .specialising
            case .idle: .idle
            case .leased: .leased
            case .destroying: .destroying
            }
        }

        /// The specialisation that the sandbox has or is about to have.
        var specialisation: Specialisation? {
            switch self {
            case .specialising(let specialisation, _, _), .idle(let specialisation, _), .leased(let specialisation, _):
                specialisation
            case .starting, .stem, .destroying: nil
            }
        }
    }

    let id: SandboxID
    /// Its place among all requests and starts of the machine.
    let sequence: UInt64
    /// When its start was ordered.
    let createdAt: Double
    /// How often it was leased.
    var uses = 0
    /// The tenant that it serves ever after its first specialisation.
    private(set) var tenant: TenantID?
    private(set) var state: State

    init(id: SandboxID, sequence: UInt64, createdAt: Double, state: State) {
        self.id = id
        self.sequence = sequence
        self.createdAt = createdAt
        self.state = state
        tenant = state.specialisation?.tenant
    }

    /// Changes the state; an illegal change or a second tenant is a bug of the pool and traps.
    mutating func move(to next: State) {
        precondition(state.phase.allows(next.phase), "a sandbox may not go from \(state.phase) to \(next.phase)")
        if let owner = next.specialisation?.tenant {
            precondition(tenant == nil || tenant == owner, "a sandbox may not change its tenant")
            tenant = owner
        }
        state = next
    }

    /// Whether it is too old to be used again.
    func isExpired(_ policy: PoolRules, now: Double) -> Bool {
        policy.maxAge > 0 && createdAt + policy.maxAge <= now
    }
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
    /// To be removed.
    case destroying

    /// The states that may follow this one; a sandbox is forgotten from `destroying` when it is removed.
    package var successors: [SandboxPhase] {
        switch self {
        case .starting: [.stem, .destroying]
        case .stem: [.specialising, .destroying]
        case .specialising: [.specialising, .leased, .idle, .destroying]
        case .idle: [.leased, .specialising, .destroying]
        case .leased: [.leased, .specialising, .idle, .destroying]
        case .destroying: [.destroying]
        }
    }

    /// Whether a sandbox in this state may go to `next`.
    func allows(_ next: SandboxPhase) -> Bool { successors.contains(next) }
}
