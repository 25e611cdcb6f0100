import SlipwayCore

// The world: performs actions, each checked against what the outside can know.
extension PoolSimulation {
    mutating func perform(_ action: PoolAction) throws {
        switch action {
        case .start(let id, let sandboxClass): try start(id, sandboxClass)
        case .specialise(let id, let specialisation): try specialise(id, specialisation)
        case .grant(let request, let id, let start, let slot): try grant(request, id, start, slot: slot)
        case .pause(let id): try pause(id)
        case .resume(let id): try resume(id)
        case .destroy(let id, let reason): try destroy(id, reason)
        case .reject(let request, let code, _): try reject(request, code)
        case .wake(let time): timer = time
        }
    }

    private mutating func start(_ id: SandboxID, _ sandboxClass: SandboxClass) throws {
        guard let number = classes.firstIndex(of: sandboxClass.withoutGrant) else {
            throw violation("start of an unknown class")
        }
        guard sandboxes[id] == nil else { throw violation("an identifier was used twice") }
        guard !isDraining else { throw violation("start while draining") }
        guard isEngineUp || sandboxClass.runtime == "process" else { throw violation("start while the engine is down") }
        let policy = policies[number]
        guard present(number).count < Self.ceiling(policy) else { throw violation("start above max") }
        let starting = sandboxes.values.count { !$0.isConnected && !$0.isDoomed && !$0.isGone }
        guard starting < policy.startingMax else { throw violation("start above startingMax") }
        let devices = sandboxClass.gpus?.granted ?? []
        sandboxes[id] = Sandbox(sandboxClass: number, orderedAt: clock, devices: devices)
        try checkRoom()
        known.append(id)
        let isLucky = isKind || random.chance(75)
        replies.append(isLucky ? .started(id) : .startFailed(id, reason: "no luck"))
    }

    private mutating func specialise(_ id: SandboxID, _ specialisation: Specialisation) throws {
        guard let sandbox = sandboxes[id], !sandbox.isDoomed, !sandbox.isGone else {
            throw violation("specialisation of a sandbox that is gone")
        }
        guard sandbox.isConnected, sandbox.rest == .awake, !sandbox.isPreparing, !sandbox.isLeased else {
            throw violation("specialisation of a sandbox that is not free")
        }
        guard sandbox.owner == nil || sandbox.owner == specialisation.tenant else { throw violation("tenants mixed") }
        sandboxes[id]?.owner = specialisation.tenant
        sandboxes[id]?.isPreparing = true
        sandboxes[id]?.prepared = specialisation
        let isLucky = isKind || random.chance(85)
        replies.append(isLucky ? .specialised(id) : .specialiseFailed(id, reason: "no module"))
    }

    /// Only a sandbox that nobody has may be frozen.
    private mutating func pause(_ id: SandboxID) throws {
        guard let sandbox = sandboxes[id], !sandbox.isDoomed, !sandbox.isGone, sandbox.isConnected,
            sandbox.rest == .awake, !sandbox.isPreparing, !sandbox.isLeased
        else { throw violation("a sandbox is frozen that is in use") }
        pauses += 1
        sandboxes[id]?.rest = .pausing
        replies.append(isKind || random.chance(85) ? .paused(id) : .pausingFailed(id, reason: "busy"))
    }

    private mutating func resume(_ id: SandboxID) throws {
        guard let sandbox = sandboxes[id], !sandbox.isDoomed, !sandbox.isGone, sandbox.rest == .paused else {
            throw violation("a sandbox is thawed that is not frozen")
        }
        sandboxes[id]?.rest = .resuming
        replies.append(isKind || random.chance(85) ? .resumed(id) : .pausingFailed(id, reason: "busy"))
    }

    private mutating func grant(_ id: RequestID, _ sandboxID: SandboxID, _ start: Job.Start, slot: Int) throws {
        guard let request = outstanding.removeValue(forKey: id) else {
            throw violation("\(id) was granted, but it was answered or cancelled before")
        }
        waitingIDs.removeAll { $0 == id }
        guard let sandbox = sandboxes[sandboxID], !sandbox.isDoomed, !sandbox.isGone, sandbox.isConnected else {
            throw violation("grant of a sandbox that is not there")
        }
        guard !sandbox.leases.contains(slot), (0..<classes[sandbox.sandboxClass].slots).contains(slot) else {
            throw violation("two leases of one slot, or a slot that there is not")
        }
        guard !sandbox.isPreparing, sandbox.rest == .awake else {
            throw violation("grant of a sandbox that is not prepared yet")
        }
        guard sandbox.prepared == request.specialisation, sandbox.owner == request.specialisation.tenant,
            sandbox.sandboxClass == request.sandboxClass
        else { throw violation("grant of a sandbox of another kind") }
        guard start == .warm || (start == .cold) == (sandbox.orderedAt > request.askedAt) else {
            throw violation("wrong kind of start: \(start)")
        }
        grants += 1
        if sandbox.isLeased { neighbours += 1 }
        sandboxes[sandboxID]?.leases.insert(slot)
        replies.append(.released(sandboxID, slot: slot, clean: isKind || random.chance(90), reason: ""))
    }

    private mutating func destroy(_ id: SandboxID, _ reason: PoolDestroyReason) throws {
        guard let sandbox = sandboxes[id], !sandbox.isGone else { throw violation("destruction of nothing") }
        guard !sandbox.isRemoving else { throw violation("destroyed twice") }
        guard !sandbox.isLeased else { throw violation("a leased sandbox was destroyed") }
        if reason == .evicted, !sandbox.isDoomed, capacity == .unlimited, let owner = sandbox.owner {
            // At most all tenants share the class, so each keeps at least this, unless it has long been away.
            let least = policies[sandbox.sandboxClass].max / (tenants.count * Self.weightMax)
            let kept = sandboxes.values.filter {
                $0.sandboxClass == sandbox.sandboxClass && $0.owner == owner && !$0.isDoomed && !$0.isGone
            }
            let isActive = kept.contains {
                $0.isLeased || $0.isPreparing || $0.usedAt + policies[sandbox.sandboxClass].fairWindow > now
            }
            evictions += 1
            guard !isActive || kept.count > least else {
                throw violation(
                    "\(owner) was brought below its share, \(least) of \(policies[sandbox.sandboxClass].max): \(kept)")
            }
        }
        sandboxes[id]?.isDoomed = true
        sandboxes[id]?.isRemoving = true
        let isLucky = isKind || random.chance(85)
        replies.append(isLucky ? .removed(id) : .removeFailed(id, reason: "busy"))
    }

    private mutating func reject(_ id: RequestID, _ code: EngineError.Code) throws {
        guard let request = outstanding.removeValue(forKey: id) else {
            throw violation("\(id) was refused, but it was answered or cancelled before")
        }
        waitingIDs.removeAll { $0 == id }
        rejections += 1
        switch code {
        case .draining where isDraining, .startFailed where !isKind || isDraining: return
        case .queueFull where policies[request.sandboxClass].onExhausted == .reject: return
        default: throw violation("\(id) was refused without need: \(code)")
        }
    }

    /// The sandboxes of a class that take up room.
    func present(_ number: Int) -> [Sandbox] { sandboxes.values.filter { $0.sandboxClass == number && !$0.isGone } }
}
