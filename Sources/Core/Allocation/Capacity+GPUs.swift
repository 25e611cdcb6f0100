// What the devices of the machine can serve.
extension Capacity {
    /// The device that a job calls by this name.
    package func gpu(called name: String) -> GPUDevice? { gpus.first { $0.isCalled(name) } }

    /// Why a need for devices can never be met, with what there is; nil when it can.
    func refusal(of need: GPUNeed) -> String? {
        guard !gpus.isEmpty else { return "there is no GPU here that jobs may use: leave gpus out" }
        var unknown: [String] = []
        var chosen: [GPUDevice] = []
        for name in need.devices {
            if let device = gpu(called: name) { chosen.append(device) } else { unknown.append(name) }
        }
        guard unknown.isEmpty else { return "no device is called \(unknown.joined(separator: ", ")); \(inventory)" }
        guard Set(chosen.map(\.id)).count == chosen.count else { return "a device is named twice" }
        let candidates = need.devices.isEmpty ? gpus : chosen
        let able = candidates.filter { $0.canEver(need.memoryBytes) }
        guard able.count < max(need.count, need.devices.count) else { return nil }
        guard let memory = need.memoryBytes else { return "\(need.count) devices are needed; \(inventory)" }
        return "\(need.count) devices with \(memory) bytes of memory are needed; \(inventory)"
    }

    /// The devices in words.
    private var inventory: String {
        let items = gpus.prefix(16).map { device in
            let memory = device.memoryBytes.map { " with \($0) bytes" } ?? ", memory unknown"
            return "\(device.label)\(device.name.isEmpty ? "" : " (\(device.name))")\(memory)"
        }
        let rest = gpus.count > 16 ? " and \(gpus.count - 16) more" : ""
        return "there are: " + items.joined(separator: ", ") + rest
    }
}

extension GPUDevice {
    /// Whether so much of its memory can be promised at all; where its size is not known none can.
    func canEver(_ memory: Int?) -> Bool {
        guard let memory else { return true }
        return memoryBytes.map { memory <= $0 } ?? false
    }
}
