import SlipwayCore

/// A pool with one class, driven by hand: remembers what was ordered and answers when told to.
struct PoolBench {
    static let sandboxClass = SandboxClass(
        runtime: "docker", image: "python", imageID: "sha256:1", cpus: 1, memoryBytes: 1 << 28, pids: 64,
        tmpBytes: 1 << 24, shmBytes: 1 << 24, openFiles: 256, network: "none")

    static func rules(
        minIdle: Int = 0, max: Int = 2, idleTTL: Double = 60, maxUses: Int = 0, maxAge: Double = 0,
        onExhausted: PoolRules.Exhaustion = .queue, startingMax: Int = 4, pauseAfter: Double = 0
    ) -> PoolRules {
        PoolRules(
            minIdle: minIdle, max: max, idleTTL: idleTTL, maxUses: maxUses, maxAge: maxAge, onExhausted: onExhausted,
            startBackoff: 1, startBackoffMax: 8, startingMax: startingMax, pauseAfter: pauseAfter)
    }

    let sandboxClass: SandboxClass
    var machine: PoolMachine
    var now = 0.0
    var requests: UInt64 = 0
    var actions: [PoolAction] = []

    init(_ rules: PoolRules, slots: Int = 1, capacity: Capacity? = .unlimited) {
        let ids = SandboxIDSource(seed: 1)
        var sandboxClass = Self.sandboxClass
        sandboxClass.slots = slots
        self.sandboxClass = sandboxClass
        machine = PoolMachine(capacity: capacity, makeID: { ids.next() }, policy: { _ in rules })
    }

    /// Sends an event and keeps the actions, without the wishes for ticks.
    @discardableResult
    mutating func send(_ event: PoolEvent) -> [PoolAction] {
        actions = machine.handle(event, now: now).filter { if case .wake = $0 { false } else { true } }
        return actions
    }

    @discardableResult
    mutating func ask(
        _ tenant: String, _ environment: String? = nil, of other: SandboxClass? = nil,
        priority: Int = 0, weight: Int = 1, turn: UInt64 = 0
    ) -> RequestID {
        requests += 1
        let id = RequestID(requests)
        guard let tenant = TenantID(tenant) else { return id }
        let specialisation = Specialisation(tenant: tenant, environment: environment)
        send(.request(id, other ?? sandboxClass, specialisation, priority: priority, weight: weight, turn: turn))
        return id
    }

    /// Answers all starts and preparations in `actions`, and those that follow; returns the grants.
    mutating func answerAll() -> [Grant] {
        var grants: [Grant] = []
        var open = actions
        while !open.isEmpty {
            switch open.removeFirst() {
            case .start(let id, _): open += send(.started(id))
            case .specialise(let id, _): open += send(.specialised(id))
            case .destroy(let id, _): open += send(.removed(id))
            case .grant(let request, let sandbox, let start, let slot):
                grants.append(Grant(request, sandbox, start, slot))
            case .pause(let id): open += send(.paused(id))
            case .resume(let id): open += send(.resumed(id))
            case .reject, .wake: break
            }
        }
        return grants
    }

    mutating func release(_ id: SandboxID, slot: Int = 0, clean: Bool = true) {
        send(.released(id, slot: slot, clean: clean, reason: ""))
    }

    var status: PoolStatus? { machine.status(now: now).first }

    struct Grant: Equatable {
        let request: RequestID
        let sandbox: SandboxID
        let start: Job.Start
        let slot: Int

        init(_ request: RequestID, _ sandbox: SandboxID, _ start: Job.Start, _ slot: Int = 0) {
            self.slot = slot
            self.request = request
            self.sandbox = sandbox
            self.start = start
        }
    }
}
