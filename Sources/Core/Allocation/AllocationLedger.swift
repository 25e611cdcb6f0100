/// Books what the sandboxes take of the machine, and admits no more than there is.
///
/// A pure value. A sandbox is charged with its limits from the moment its start is ordered until nothing of it is
/// left; what idle sandboxes hold is given up on demand, so in the end the limit is on what works. Memory that was
/// promised must be there. A processor can be shared: its capacity carries a factor.
package struct AllocationLedger: Sendable {
    /// What one sandbox holds.
    struct Holding: Sendable, Equatable {
        let demand: ResourceDemand
        /// Identifiers of its devices.
        let devices: [String]
        /// Whether it is on its way out, so that what it holds is free soon.
        var isLeaving = false
    }

    /// What there is; nil as long as that is not known, and then nothing is admitted.
    package internal(set) var capacity: Capacity? { didSet { version += 1 } }
    /// Grows with every change.
    private(set) var version: UInt64 = 0
    /// Thousandths of cores that are handed out.
    package private(set) var milliCPUs = 0
    /// Bytes of memory that are handed out.
    package private(set) var memoryBytes = 0
    private(set) var holdings: [SandboxID: Holding] = [:]
    /// Who holds each device that anybody holds.
    private(set) var holders: [String: Set<SandboxID>] = [:]
    private var leavingMilliCPUs = 0
    private var leavingMemoryBytes = 0

    /// Makes a ledger on which nothing is booked.
    package init(capacity: Capacity?) { self.capacity = capacity }

    /// Whether nothing is booked.
    package var isEmpty: Bool { holdings.isEmpty && milliCPUs == 0 && memoryBytes == 0 && holders.isEmpty }

    /// What is missing for a demand at present.
    ///
    /// - Parameter soon: Counts what is on its way out as free.
    package func shortage(for demand: ResourceDemand, soon: Bool = false) -> Shortage {
        guard let capacity else { return Shortage(isUnknown: true) }
        let cpus = milliCPUs - (soon ? leavingMilliCPUs : 0) + demand.milliCPUs - capacity.milliCPUs
        let memory = memoryBytes - (soon ? leavingMemoryBytes : 0) + demand.memoryBytes - capacity.memoryBytes
        return Shortage(
            milliCPUs: max(0, cpus), memoryBytes: max(0, memory),
            gpus: demand.gpus.map { choose($0, from: capacity.gpus, soon: soon) == nil } ?? false)
    }

    /// Whether there is room for a sandbox without devices that leaves another one, which needs some, the processors
    /// and the memory that it takes.
    package func hasRoom(for demand: ResourceDemand, beside other: ResourceDemand) -> Bool {
        guard demand.gpus == nil, other.gpus != nil else { return false }
        let both = ResourceDemand(
            milliCPUs: demand.milliCPUs + other.milliCPUs, memoryBytes: demand.memoryBytes + other.memoryBytes)
        return shortage(for: both).isNone
    }

    /// Books a sandbox.
    ///
    /// - Returns: The devices that it gets; nil when there is no room, and then nothing is booked.
    package mutating func reserve(_ id: SandboxID, _ demand: ResourceDemand) -> [String]? {
        guard holdings[id] == nil, shortage(for: demand).isNone else { return nil }
        var devices: [String] = []
        if let need = demand.gpus {
            guard let chosen = choose(need, from: capacity?.gpus ?? [], soon: false) else { return nil }
            devices = chosen
        }
        book(id, Holding(demand: demand, devices: devices))
        return devices
    }

    /// Books a sandbox that exists, whether there is room for it or not.
    package mutating func adopt(_ id: SandboxID, _ demand: ResourceDemand) {
        guard holdings[id] == nil else { return }
        book(id, Holding(demand: demand, devices: demand.gpus?.granted ?? []))
    }

    /// Notes that a sandbox is on its way out.
    package mutating func leave(_ id: SandboxID) {
        guard let holding = holdings[id], !holding.isLeaving else { return }
        version += 1
        holdings[id]?.isLeaving = true
        leavingMilliCPUs += holding.demand.milliCPUs
        leavingMemoryBytes += holding.demand.memoryBytes
    }

    /// Takes a sandbox off the books, of which nothing is left.
    package mutating func release(_ id: SandboxID) {
        guard let holding = holdings.removeValue(forKey: id) else { return }
        version += 1
        milliCPUs -= holding.demand.milliCPUs
        memoryBytes -= holding.demand.memoryBytes
        if holding.isLeaving {
            leavingMilliCPUs -= holding.demand.milliCPUs
            leavingMemoryBytes -= holding.demand.memoryBytes
        }
        for device in holding.devices {
            holders[device]?.remove(id)
            if holders[device]?.isEmpty == true { holders[device] = nil }
        }
    }

    /// Whether the removal of a sandbox would bring a demand nearer to what it lacks.
    package func helps(_ id: SandboxID, _ shortage: Shortage, of demand: ResourceDemand) -> Bool {
        guard let holding = holdings[id], !holding.isLeaving else { return false }
        if shortage.milliCPUs > 0 || shortage.memoryBytes > 0 { return true }
        guard shortage.gpus, let need = demand.gpus else { return false }
        return holding.devices.contains { device in
            need.devices.isEmpty || need.devices.contains { capacity?.gpu(called: $0)?.id == device }
        }
    }

    /// What does not add up; nil when all does.
    package func audit() -> String? {
        let all = Array(holdings.values)
        guard all.reduce(0, { $0 + $1.demand.milliCPUs }) == milliCPUs else { return "the cores do not add up" }
        guard all.reduce(0, { $0 + $1.demand.memoryBytes }) == memoryBytes else { return "the memory does not add up" }
        let leaving = all.filter(\.isLeaving)
        guard leaving.reduce(0, { $0 + $1.demand.milliCPUs }) == leavingMilliCPUs,
            leaving.reduce(0, { $0 + $1.demand.memoryBytes }) == leavingMemoryBytes
        else { return "what leaves does not add up" }
        let held = holdings.reduce(into: [String: Set<SandboxID>]()) { found, item in
            for device in item.value.devices { found[device, default: []].insert(item.key) }
        }
        return held == holders ? nil : "the devices do not add up"
    }

    private mutating func book(_ id: SandboxID, _ holding: Holding) {
        version += 1
        holdings[id] = holding
        milliCPUs += holding.demand.milliCPUs
        memoryBytes += holding.demand.memoryBytes
        for device in holding.devices { holders[device, default: []].insert(id) }
    }
}
