/// What the classes of one pool machine have in common, and what they note down during one event.
struct PoolShared: Sendable {
    /// The most tenants whose last turns are remembered while nobody waits.
    private static let turnsMax = 1024

    var isEngineUp: Bool
    let waitingMax: Int
    let makeID: @Sendable () -> SandboxID
    var isDraining = false
    var now: Double = 0
    /// Sandboxes of all classes that are starting.
    var starting = 0
    /// How many sandboxes each tenant had started for it and are starting.
    private(set) var startingFor: [TenantID: Int] = [:]
    /// When each tenant that waits had its last start, as a number that grows.
    private(set) var turns: [TenantID: UInt64] = [:]
    /// How many sandboxes the class at hand may start now before it has to wait for its turn.
    var mayStart = Int.max
    /// Whether these may be ones that nobody waits for.
    var mayStock = true
    /// The tenant whose turn it is; nil where nobody waits for a turn.
    var turnOf: TenantID?
    /// What the sandboxes take of the machine.
    var ledger: AllocationLedger
    /// The places of classes with requests that wait for room on the machine.
    private(set) var short: Set<Int> = []
    /// Those of them that need devices, with what one sandbox takes.
    private(set) var shortWithDevices: [Int: ResourceDemand] = [:]
    /// Grows whenever something changes about these classes or the turns of their tenants.
    private(set) var shortVersion: UInt64 = 0
    /// The classes for which room is kept, with what one sandbox of each takes: one that lacks devices and one that
    /// lacks processors or memory at most.
    var claims: [RoomClaim] = []
    /// The last wish for a tick that has not come yet.
    var wakeAt: Double?
    var actions: [PoolAction] = []
    var created: [SandboxID] = []
    var forgotten: [SandboxID] = []
    var queued: [RequestID] = []
    var answered: [RequestID] = []
    private var sequence: UInt64 = 0
    private var turnClock: UInt64 = 0

    init(
        isEngineUp: Bool, waitingMax: Int, ledger: AllocationLedger, makeID: @escaping @Sendable () -> SandboxID
    ) {
        self.isEngineUp = isEngineUp
        self.ledger = ledger
        self.waitingMax = waitingMax
        self.makeID = makeID
    }

    mutating func nextSequence() -> UInt64 {
        sequence += 1
        return sequence
    }

    /// Whether a class without devices waits for room.
    var isAnybodyShort: Bool { short.count > shortWithDevices.count }

    /// Whether a sandbox that nobody waits for leaves the room that requests wait for, which may lack nothing but devices.
    func mayStock(_ demand: ResourceDemand) -> Bool {
        mayStock && !isAnybodyShort && shortWithDevices.values.allSatisfy { ledger.hasRoom(for: demand, beside: $0) }
    }

    /// Notes that a class waits for room, or that somebody new waits for it.
    mutating func lacksRoom(_ slot: Int, _ demand: ResourceDemand) {
        short.insert(slot)
        if demand.gpus != nil { shortWithDevices[slot] = demand }
        shortVersion += 1
    }

    /// Notes that a class does not wait for room any more.
    mutating func hasRoom(_ slot: Int) {
        short.remove(slot)
        shortWithDevices[slot] = nil
        shortVersion += 1
    }

    /// Counts a start for a tenant, which has had its turn.
    mutating func began(for tenant: TenantID?) {
        starting += 1
        guard let tenant else { return }
        startingFor[tenant, default: 0] += 1
        turnClock += 1
        turns[tenant] = turnClock
        shortVersion += 1
    }

    /// Counts a start that is over.
    mutating func ended(for tenant: TenantID?) {
        starting -= 1
        guard let tenant, let left = startingFor[tenant].map({ $0 - 1 }) else { return }
        startingFor[tenant] = left > 0 ? left : nil
    }

    /// Forgets whose turn it was when nobody waits and there are many to remember.
    mutating func forgetTurns() { if turns.count > Self.turnsMax { turns = [:] } }

    mutating func grant(_ request: RequestID, _ sandbox: SandboxID, _ start: Job.Start, slot: Int) {
        actions.append(.grant(request, sandbox, start, slot: slot))
    }

    mutating func reject(_ request: RequestID, _ code: EngineError.Code, _ message: String) {
        actions.append(.reject(request, code, message: message))
    }

    /// Asks for a tick, unless an earlier one is on its way.
    mutating func requestWake(at time: Double) {
        if let wakeAt, wakeAt <= time { return }
        wakeAt = time
        actions.append(.wake(at: time))
    }
}
