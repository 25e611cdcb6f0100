// Who gets which device.
extension AllocationLedger {
    /// Devices for a need, in the order in which the sandbox sees them; nil when there are too few.
    ///
    /// A need with a memory limit goes to devices that its tenant shares already, the fullest first, so that whole
    /// devices stay free for those who need them.
    func choose(_ need: GPUNeed, from devices: [GPUDevice], soon: Bool) -> [String]? {
        if !need.devices.isEmpty {
            let chosen = need.devices.compactMap { name in devices.first { $0.isCalled(name) } }
            guard chosen.count == need.devices.count, Set(chosen.map(\.id)).count == chosen.count else { return nil }
            return chosen.allSatisfy { canTake($0, need, soon: soon) } ? chosen.map(\.id) : nil
        }
        let able = devices.enumerated().filter { canTake($0.element, need, soon: soon) }
        let best = able.sorted { left, right in
            let (one, two) = (room(on: left.element, soon: soon), room(on: right.element, soon: soon))
            return one != two ? one < two : left.offset < right.offset
        }
        guard need.count > 0, best.count >= need.count else { return nil }
        return best.prefix(need.count).map(\.element.id)
    }

    /// Whether a sandbox is the only one that holds a device.
    func isAlone(_ id: SandboxID, on device: String) -> Bool { holders[device] == [id] }

    /// Memory of a device that is promised to nobody; the whole of an unused one, however large, counts as most.
    private func room(on device: GPUDevice, soon: Bool) -> Int {
        let present = present(on: device, soon: soon)
        guard !present.isEmpty, let total = device.memoryBytes else { return .max }
        return total - present.reduce(0) { $0 + ($1.demand.gpus?.memoryBytes ?? 0) }
    }

    /// Several sandboxes share a device only if all are one tenant's, each has a limit, and the limits fit into it.
    private func canTake(_ device: GPUDevice, _ need: GPUNeed, soon: Bool) -> Bool {
        guard device.canEver(need.memoryBytes) else { return false }
        let present = present(on: device, soon: soon)
        guard !present.isEmpty else { return true }
        guard !device.isInstance, let memory = need.memoryBytes, let total = device.memoryBytes else { return false }
        var used = 0
        for holding in present {
            guard let other = holding.demand.gpus, other.tenant == need.tenant, let limit = other.memoryBytes else {
                return false
            }
            used += limit
        }
        return used + memory <= total
    }

    private func present(on device: GPUDevice, soon: Bool) -> [Holding] {
        guard let ids = holders[device.id] else { return [] }
        return ids.compactMap { holdings[$0] }.filter { !soon || !$0.isLeaving }
    }
}
