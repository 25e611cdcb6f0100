import SlipwayCore
import TestSupport

// A machine with room for a few sandboxes: what it has, and that no more is ever handed out.
extension PoolSimulation {
    /// Gives the classes different sizes, and two of them devices and so an owner.
    static func narrow(_ classes: inout [SandboxClass], _ tenants: [TenantID], _ random: inout SimulationRandom) {
        for number in classes.indices {
            classes[number].cpus = Double(1 + random.below(8)) / 2
            classes[number].memoryBytes = (1 + random.below(4)) << 28
        }
        classes[1].gpus = GPUNeed(tenant: tenants[0], count: 1, memoryBytes: (2 + random.below(4)) << 30)
        classes[2].gpus = GPUNeed(
            tenant: tenants[random.below(2)], count: 1 + random.below(2), memoryBytes: random.chance(50) ? 3 << 30 : nil
        )
    }

    /// Room for the largest class at least.
    static func narrowCapacity(_ random: inout SimulationRandom) -> Capacity {
        Capacity(
            milliCPUs: 4000 + 500 * random.below(12), memoryBytes: (4 + random.below(8)) << 28,
            gpus: [0, 1].map { (number: Int) in GPUDevice(id: "GPU-\(number)", index: number, memoryBytes: 8 << 30) })
    }

    /// The tenant that alone uses a class with devices.
    func owner(of number: Int) -> TenantID? { classes[number].gpus.flatMap { TenantID($0.tenant) } }

    /// The machine becomes another one, larger or smaller.
    mutating func resize() throws {
        guard capacity != .unlimited else { return }
        capacity = Self.narrowCapacity(&random)
        try send(.capacity(capacity))
    }

    /// Whether one more sandbox of a class would fit, as far as its cores and memory go; those with devices do not.
    func hasRoom(_ number: Int) -> Bool {
        guard capacity != .unlimited else { return true }
        let (cpus, memory) = used
        return classes[number].gpus == nil && cpus + classes[number].cpus * 1000 <= Double(capacity.milliCPUs)
            && memory + classes[number].memoryBytes <= capacity.memoryBytes
    }

    /// Throws when more is handed out than there is; asked whenever a sandbox was started.
    func checkRoom() throws {
        guard capacity != .unlimited else { return }
        let (cpus, memory) = used
        guard cpus <= Double(capacity.milliCPUs) else { throw violation("\(cpus) of \(capacity.milliCPUs) cores") }
        guard memory <= capacity.memoryBytes else { throw violation("\(memory) of \(capacity.memoryBytes) bytes") }
        for device in capacity.gpus {
            let needs = sandboxes.values.filter { !$0.isGone && $0.devices.contains(device.id) }
                .compactMap { classes[$0.sandboxClass].gpus }
            guard needs.count > 1 else { continue }
            guard Set(needs.map(\.tenant)).count == 1 else { throw violation("two tenants on \(device.id)") }
            let limits = needs.compactMap(\.memoryBytes)
            guard limits.count == needs.count else { throw violation("\(device.id) is shared without limits") }
            guard limits.reduce(0, +) <= 8 << 30 else { throw violation("too much memory of \(device.id)") }
        }
        for sandbox in sandboxes.values where !sandbox.isGone {
            let wanted = classes[sandbox.sandboxClass].gpus?.count ?? 0
            guard Set(sandbox.devices).count == wanted else { throw violation("\(sandbox.devices) for \(wanted)") }
        }
    }

    /// Thousandths of cores and bytes of all sandboxes that exist.
    private var used: (milliCPUs: Double, memory: Int) {
        sandboxes.values.filter { !$0.isGone }.reduce(into: (0, 0)) { sum, sandbox in
            sum.0 += classes[sandbox.sandboxClass].cpus * 1000
            sum.1 += classes[sandbox.sandboxClass].memoryBytes
        }
    }
}
