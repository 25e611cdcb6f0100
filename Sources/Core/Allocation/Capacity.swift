import Foundation

/// The size of the machine that runs the sandboxes.
package struct HostSize: Sendable, Equatable {
    /// Processor cores.
    package var cpus: Double
    /// Memory in bytes.
    package var memoryBytes: Int

    /// Makes a size.
    package init(cpus: Double, memoryBytes: Int) {
        self.cpus = cpus
        self.memoryBytes = memoryBytes
    }
}

/// What the engine may hand out to all sandboxes together.
package struct Capacity: Sendable, Equatable {
    /// Thousandths of processor cores, with the factor for over-subscription in it.
    package var milliCPUs: Int
    /// Memory in bytes, with the factor in it.
    package var memoryBytes: Int
    /// Cores of the machine: a single sandbox cannot have more, whatever the factor; nil when that is not known.
    package var coresMilli: Int?
    /// The devices that jobs may ask for.
    package var gpus: [GPUDevice]

    /// Makes a capacity.
    package init(milliCPUs: Int, memoryBytes: Int, coresMilli: Int? = nil, gpus: [GPUDevice] = []) {
        self.milliCPUs = milliCPUs
        self.memoryBytes = memoryBytes
        self.coresMilli = coresMilli
        self.gpus = gpus
    }

    /// More than any sandboxes take; for machines whose pools alone bound them.
    package static let unlimited = Capacity(milliCPUs: .max / 4, memoryBytes: .max / 4)

    /// The capacity that a configuration gives on a machine; nil while what it leaves to the machine is not known.
    package init?(_ allocation: Configuration.Allocation, host: HostSize?, gpus: [GPUDevice]) {
        guard let cpus = allocation.cpus ?? host?.cpus, let memory = allocation.memoryBytes ?? host?.memoryBytes
        else { return nil }
        self.init(
            milliCPUs: Int(min(cpus * allocation.cpuFactor * 1000, 1e15)),
            memoryBytes: Int(min(Double(memory) * allocation.memoryFactor, 1e18)),
            coresMilli: host.map { ResourceDemand.milli($0.cpus) }, gpus: gpus)
    }

    /// Why a demand can never be met here, however long it waits; nil when it can.
    ///
    /// Each entry names the resource as jobs do: `cpus`, `memory`, `gpus`.
    package func refusals(of demand: ResourceDemand) -> [(resource: String, detail: String)] {
        var refusals: [(resource: String, detail: String)] = []
        let most = min(milliCPUs, coresMilli ?? .max)
        if demand.milliCPUs > most {
            let detail =
                "\(Self.cores(demand.milliCPUs)) processors are needed, and a sandbox here can have at most "
                + Self.cores(most)
            refusals.append(("cpus", detail))
        }
        if demand.memoryBytes > memoryBytes {
            let detail =
                "\(demand.memoryBytes) bytes of memory are needed, and all sandboxes together have \(memoryBytes)"
            refusals.append(("memory", detail))
        }
        if let need = demand.gpus, let detail = refusal(of: need) { refusals.append(("gpus", detail)) }
        return refusals
    }

    /// Cores as people write them.
    static func cores(_ milli: Int) -> String {
        milli % 1000 == 0 ? String(milli / 1000) : String(format: "%g", Double(milli) / 1000)
    }
}
