import Foundation
import SlipwayCore
import TestSupport

/// A rule of the pool that a simulated history broke.
struct PoolViolation: Error, CustomStringConvertible {
    let description: String
}

/// One random history of a pool, with a model of the sandboxes that knows nothing of the machine's insides.
///
/// The model performs the machine's actions, answers them late and out of order, injects faults, and checks after
/// every step that no rule is broken.
struct PoolSimulation {
    /// A sandbox as the outside world sees it.
    struct Sandbox {
        let sandboxClass: Int
        let orderedAt: Int
        /// Whether it is frozen, as far as orders and replies tell.
        enum Rest { case awake, pausing, paused, resuming }

        var rest = Rest.awake
        var isConnected = false
        var isPreparing = false
        var isDoomed = false
        /// Whether a removal is under way; not so between a failed one and its retry.
        var isRemoving = false
        var isGone = false
        var owner: TenantID?
        var prepared: Specialisation?
        /// The slots that are in use.
        var leases: Set<Int> = []
        /// When a lease of it ended last.
        var usedAt = -Double.infinity
        var isLeased: Bool { !leases.isEmpty }
        var devices: [String] = []
    }

    struct Request {
        let sandboxClass: Int
        let specialisation: Specialisation
        let askedAt: Int
    }

    let classes: [SandboxClass]
    var policies: [PoolRules]
    /// The most sandboxes of each class that there may be: after a reload those that were there already.
    var ceilings: [Int]
    let tenants = ["ann", "bob", "cid", "dee"].compactMap { TenantID($0) }
    let ids: SandboxIDSource
    var random: SimulationRandom
    var machine: PoolMachine
    var now = 1000.0
    /// Grows with every action and event: the order of things.
    var clock = 0
    var timer: Double?
    var isEngineUp = true
    var isDraining = false
    var isKind = false
    var sandboxes: [SandboxID: Sandbox] = [:]
    var known: [SandboxID] = []
    var outstanding: [RequestID: Request] = [:]
    var waitingIDs: [RequestID] = []
    var requestCount: UInt64 = 0
    var replies: [PoolEvent] = []
    var delivered: [PoolEvent] = []
    /// Whether the last events are kept; costs more than all else.
    let isTracing: Bool
    var recent: [String] = []
    var declared: Set<Int> = []
    static let weightMax = 2
    var grants = 0
    var pauses = 0
    var neighbours = 0
    var evictions = 0
    var reloads = 0
    var rejections = 0
    /// Steps after which a request waited for room on the machine.
    var waits = 0
    /// What all sandboxes together may take.
    var capacity: Capacity

    /// - Parameter isNarrow: Whether the machine has room for a few sandboxes only, which then differ in size.
    init(seed: UInt64, isTracing: Bool, isNarrow: Bool = false) {
        var random = SimulationRandom(seed: seed)
        var classes = (0..<4).map { number in
            SandboxClass(
                runtime: number == 3 ? "process" : "docker", image: "image-\(number)", imageID: "sha256:\(number)",
                cpus: 1, memoryBytes: 1 << 28, pids: 64, tmpBytes: 1 << 24, shmBytes: 1 << 24, openFiles: 256,
                network: "none", slots: number == 2 ? 1 + random.below(4) : 1)
        }
        var capacity = Capacity.unlimited
        if isNarrow {
            Self.narrow(&classes, tenants, &random)
            capacity = Self.narrowCapacity(&random)
        }
        self.capacity = capacity
        let startingMax = 1 + random.below(4)
        let policies = classes.map { _ in Self.rules(&random, startingMax: startingMax) }
        let ids = SandboxIDSource(seed: seed)
        let table = Dictionary(uniqueKeysWithValues: zip(classes, policies))
        let fallback = policies[0]
        self.classes = classes
        self.policies = policies
        ceilings = policies.map(Self.ceiling)
        self.ids = ids
        self.random = random
        self.isTracing = isTracing
        machine = PoolMachine(capacity: capacity, makeID: { ids.next() }, policy: { table[$0] ?? fallback })
    }

    static func rules(_ random: inout SimulationRandom, startingMax: Int) -> PoolRules {
        PoolRules(
            minIdle: random.below(3), max: 1 + random.below(8), idleTTL: random.chance(20) ? 0 : 5,
            maxUses: random.below(4) * 3, maxAge: random.chance(30) ? 20 : 0,
            onExhausted: PoolRules.Exhaustion.allCases[random.below(3)], startBackoff: 0.5, startBackoffMax: 4,
            startingMax: startingMax, pauseAfter: random.chance(50) ? Double(1 + random.below(20)) / 10 : 0,
            fairWindow: random.chance(50) ? 60 : 2)
    }

    static func ceiling(_ rules: PoolRules) -> Int { rules.onExhausted == .cold ? 2 * rules.max : rules.max }

    /// Runs one history: chaos for `steps`, then good weather until nobody waits, then a drain until nothing is left.
    mutating func run(steps: Int) throws {
        let drainAt = random.chance(15) ? random.below(steps) : Int.max
        for number in 0..<classes.count where random.chance(50) { try declare(number) }
        for step in 0..<steps {
            if step == drainAt { try drain() }
            try stepInChaos()
        }
        isKind = true
        replies = replies.map(Self.lucky)
        if !isEngineUp { try engine(up: true) }
        try settle { $0.outstanding.isEmpty }
        try drain()
        try settle { $0.machine.isEmpty }
        guard sandboxes.values.allSatisfy(\.isGone) else { throw violation("a sandbox was left after the drain") }
        guard machine.ledger.isEmpty else { throw violation("a drained pool still holds room on the machine") }
        guard timer == nil || machine.nextDeadline == nil else { throw violation("a drained pool still has timers") }
    }

    /// Gives the machine an event, performs what it answers, and checks all rules.
    mutating func send(_ event: PoolEvent) throws {
        if case .tick = event {} else { try checkQuiet() }
        clock += 1
        if isTracing { note("\(now) > \(event)") }
        try perform(machine.handle(event, now: now))
    }

    func violation(_ text: String) -> PoolViolation {
        PoolViolation(description: text + "\n" + recent.joined(separator: "\n"))
    }

    /// Performs the machine's orders, then checks all rules.
    mutating func perform(_ actions: [PoolAction]) throws {
        for action in actions {
            clock += 1
            if isTracing { note("    < \(action)") }
            try perform(action)
        }
        if machine.status(now: now).contains(where: { $0.waitsFor != nil }) { waits += 1 }
        try check()
    }

    mutating func drain() throws {
        isDraining = true
        try send(.drain)
    }

    mutating func engine(up: Bool) throws {
        isEngineUp = up
        try send(.enginesUp(up))
    }

    mutating func declare(_ number: Int) throws {
        declared.insert(number)
        try send(.declare(classes[number]))
    }

    /// Delivers everything without faults until `isDone`, letting time pass when nothing else is left to do.
    private mutating func settle(until isDone: (PoolSimulation) -> Bool) throws {
        var steps = 0
        while !isDone(self) {
            steps += 1
            guard steps < 20_000 else { throw violation("the pool does not come to rest") }
            if !replies.isEmpty {
                now += 0.01
                try deliver(random.below(replies.count))
            } else if let timer {
                now = max(now, timer)
                self.timer = nil
                try send(.tick)
            } else {
                throw violation("the pool is stuck: \(outstanding.count) requests, \(machine.phases)")
            }
        }
    }

    /// The reply that would have come had all gone well.
    private static func lucky(_ reply: PoolEvent) -> PoolEvent {
        switch reply {
        case .startFailed(let id, _): .started(id)
        case .specialiseFailed(let id, _): .specialised(id)
        case .removeFailed(let id, _): .removed(id)
        case .released(let id, let slot, _, let reason): .released(id, slot: slot, clean: true, reason: reason)
        default: reply
        }
    }

    mutating func note(_ text: String) {
        let names = classes.reduce(text) {
            $0.replacingOccurrences(of: String(describing: $1), with: $1.image)
        }
        recent.append(names.replacingOccurrences(of: "SlipwayCore.", with: ""))
        if recent.count > 80 { recent.removeFirst(40) }
    }
}
