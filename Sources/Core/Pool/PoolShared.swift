/// What the classes of one pool machine have in common, and what they note down during one event.
struct PoolShared: Sendable {
    var isEngineUp: Bool
    let waitingMax: Int
    let makeID: @Sendable () -> SandboxID
    var isDraining = false
    var now: Double = 0
    /// Sandboxes of all classes that are starting.
    var starting = 0
    /// How many sandboxes the class at hand may start now before it has to wait for its turn.
    var mayStart = Int.max
    /// What the sandboxes take of the machine.
    var ledger: AllocationLedger
    /// Classes with requests that wait for room on the machine.
    var shortClasses = 0
    /// The class for which room is kept, with what one sandbox of it takes.
    var claim: RoomClaim?
    /// The last wish for a tick that has not come yet.
    var wakeAt: Double?
    var actions: [PoolAction] = []
    var created: [SandboxID] = []
    var forgotten: [SandboxID] = []
    var queued: [RequestID] = []
    var answered: [RequestID] = []
    private var sequence: UInt64 = 0

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
