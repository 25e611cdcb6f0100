import SlipwayCore
import TestSupport

// What happens to the pool: jobs, replies in any order, faults.
extension PoolSimulation {
    mutating func stepInChaos() throws {
        now += random.chance(97) ? Double(random.below(50)) / 1000 : Double(random.below(10_000)) / 1000
        if let timer, timer <= now, random.chance(70) {
            self.timer = nil
            return try send(.tick)
        }
        switch random.below(100) {
        case 0..<30: try ask()
        case 30..<78: if !replies.isEmpty { try deliver(random.below(replies.count)) }
        case 78..<84: try cancel()
        case 84..<88: try lose()
        case 88..<93: try repeatOrInvent()
        case 93..<94: try engine(up: !isEngineUp)
        case 94..<96: try adopt()
        case 96..<97: try declare(random.below(classes.count))
        case 97..<98: try resize()
        case 98..<99: try reload()
        default:
            // A timer that ends early: it is the only one.
            timer = nil
            try send(.tick)
        }
    }

    /// Lets a reply take effect in the world, then tells the machine.
    mutating func deliver(_ place: Int) throws {
        let reply = replies.remove(at: place)
        switch reply {
        case .started(let id): sandboxes[id]?.isConnected = true
        case .specialised(let id): sandboxes[id]?.isPreparing = false
        case .released(let id, let slot, _, _):
            sandboxes[id]?.leases.remove(slot)
            sandboxes[id]?.usedAt = now
        case .paused(let id): sandboxes[id]?.rest = .paused
        case .resumed(let id): sandboxes[id]?.rest = .awake
        case .removed(let id): sandboxes[id]?.isGone = true
        case .removeFailed(let id, _): sandboxes[id]?.isRemoving = false
        default: break
        }
        delivered.append(reply)
        if delivered.count > 200 { delivered.removeFirst(100) }
        try send(reply)
    }

    private mutating func ask() throws {
        requestCount += 1
        let id = RequestID(requestCount)
        let number = random.below(classes.count)
        let anyone = tenants[random.below(tenants.count)]
        let specialisation = Specialisation(
            tenant: owner(of: number) ?? anyone, environment: [nil, "e1", "e2"][random.below(3)],
            preload: random.chance(10) ? ["numpy"] : [])
        outstanding[id] = Request(sandboxClass: number, specialisation: specialisation, askedAt: clock + 1)
        waitingIDs.append(id)
        try send(
            .request(
                id, classes[number], specialisation, priority: random.chance(10) ? random.below(3) - 1 : 0,
                weight: 1 + random.below(Self.weightMax), turn: UInt64(random.below(100))))
    }

    /// Cancels a request that waits, or one that was answered long ago.
    private mutating func cancel() throws {
        guard random.chance(80), !waitingIDs.isEmpty else {
            let id = RequestID(1 + UInt64(random.below(Int(requestCount) + 2)))
            if outstanding[id] == nil { try send(.cancelRequest(id)) }
            return
        }
        let id = waitingIDs.remove(at: random.below(waitingIDs.count))
        outstanding[id] = nil
        try send(.cancelRequest(id))
    }

    /// A sandbox dies, in whatever state it is; replies about it may still be under way.
    private mutating func lose() throws {
        let present = known.filter { sandboxes[$0]?.isGone == false }
        guard !present.isEmpty else { return }
        let id = present[random.below(present.count)]
        sandboxes[id]?.leases = []
        sandboxes[id]?.isPreparing = false
        let isDoomed = sandboxes[id]?.isDoomed == true
        try send(isDoomed || random.chance(70) ? .lost(id, reason: "it died") : .removed(id))
        guard sandboxes[id]?.isDoomed == true else { throw violation("a dead sandbox was not destroyed") }
    }

    /// A reply comes again, or about a sandbox that nobody knows.
    ///
    /// A release or a preparation of a sandbox that is leased or prepared anew is left out: its owner answers each
    /// order once, and nothing in the reply could tell the two apart.
    private mutating func repeatOrInvent() throws {
        guard random.chance(80), !delivered.isEmpty else {
            var other = SimulationRandom(seed: random.next())
            let id = SandboxID(using: &other)
            let events: [PoolEvent] = [
                .started(id), .startFailed(id, reason: ""), .specialised(id), .specialiseFailed(id, reason: ""),
                .released(id, clean: true, reason: ""), .lost(id, reason: ""), .removed(id),
                .removeFailed(id, reason: ""), .paused(id), .resumed(id), .pausingFailed(id, reason: ""),
            ]
            return try send(events[random.below(events.count)])
        }
        let event = delivered[random.below(delivered.count)]
        switch event {
        case .specialised(let id), .specialiseFailed(let id, _):
            if sandboxes[id]?.isPreparing == true { return }
        case .released(let id, let slot, _, _):
            if sandboxes[id]?.leases.contains(slot) == true { return }
        case .paused(let id):
            if sandboxes[id]?.rest == .pausing { return }
        case .resumed(let id):
            if sandboxes[id]?.rest == .resuming { return }
        case .pausingFailed(let id, _):
            if let rest = sandboxes[id]?.rest, rest == .pausing || rest == .resuming { return }
        case .removed(let id), .removeFailed(let id, _):
            if sandboxes[id]?.isGone != true { return }
        default: break
        }
        try send(event)
    }

    /// The configuration is read again: other rules for all classes, or a class less.
    private mutating func reload() throws {
        reloads += 1
        if random.chance(30), let number = declared.sorted().randomElement(using: &random) {
            declared.remove(number)
            return try send(.undeclare(classes[number]))
        }
        let startingMax = policies[0].startingMax
        policies = policies.map { old in
            random.chance(50) ? old : Self.rules(&random, startingMax: startingMax)
        }
        for number in classes.indices {
            ceilings[number] = max(Self.ceiling(policies[number]), present(number).count)
        }
        let table = Dictionary(uniqueKeysWithValues: zip(classes, policies))
        let fallback = policies[0]
        clock += 1
        if isTracing { note("\(now) > reload \(policies)") }
        try perform(machine.reload(policy: { table[$0] ?? fallback }, now: now))
    }

    private mutating func adopt() throws {
        let number = random.below(classes.count)
        guard !isDraining, present(number).count < policies[number].max, hasRoom(number) else { return }
        let id = ids.next()
        let specialisation = Specialisation(tenant: tenants[random.below(tenants.count)])
        let isLeased = random.chance(50)
        sandboxes[id] = Sandbox(
            sandboxClass: number, orderedAt: clock, isConnected: true, owner: specialisation.tenant,
            prepared: specialisation, leases: isLeased ? [0] : [])
        known.append(id)
        if isLeased { replies.append(.released(id, clean: true, reason: "")) }
        try send(
            .adopted(id, classes[number], specialisation, leased: isLeased ? [0] : [], uses: random.below(3)))
    }
}
