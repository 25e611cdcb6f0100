/// What one sandbox takes of the machine for as long as it exists.
package struct ResourceDemand: Sendable, Hashable {
    /// Thousandths of a processor core.
    package var milliCPUs: Int
    /// Memory in bytes.
    package var memoryBytes: Int
    /// Graphics processors; nil for none.
    package var gpus: GPUNeed?

    /// Makes a demand.
    package init(milliCPUs: Int, memoryBytes: Int, gpus: GPUNeed? = nil) {
        self.milliCPUs = milliCPUs
        self.memoryBytes = memoryBytes
        self.gpus = gpus
    }

    /// Makes a demand for whole or partial cores.
    package init(cpus: Double, memoryBytes: Int, gpus: GPUNeed? = nil) {
        self.init(milliCPUs: Self.milli(cpus), memoryBytes: memoryBytes, gpus: gpus)
    }

    /// Thousandths of a core, rounded up so that nothing is ever counted as less than it is.
    static func milli(_ cpus: Double) -> Int { Int((min(max(0, cpus), 1e9) * 1000).rounded(.up)) }
}

/// The graphics processors that a sandbox needs; they are fixed when it is created.
package struct GPUNeed: Sendable, Hashable, Codable {
    /// The only tenant that the sandbox will serve: devices are never shared between tenants.
    package var tenant: String
    /// How many devices.
    package var count: Int
    /// Identifiers of particular devices; empty for any.
    package var devices: [String]
    /// Memory of each device in bytes; nil takes whole devices.
    package var memoryBytes: Int?
    /// Identifiers of the devices that the sandbox got; empty as long as it has none.
    package var granted: [String] = []

    /// Makes a need without devices.
    package init(tenant: TenantID, count: Int, devices: [String] = [], memoryBytes: Int? = nil) {
        self.tenant = tenant.description
        self.count = count
        self.devices = devices
        self.memoryBytes = memoryBytes
    }
}

extension SandboxClass {
    /// What each sandbox of the class takes.
    package var demand: ResourceDemand { ResourceDemand(cpus: cpus, memoryBytes: memoryBytes, gpus: gpus) }

    /// The class of a sandbox that got these devices.
    func granting(_ devices: [String]) -> SandboxClass {
        guard gpus != nil else { return self }
        var copy = self
        copy.gpus?.granted = devices
        return copy
    }

    /// The class without the devices that one sandbox of it got.
    package var withoutGrant: SandboxClass { granting([]) }
}
