/// Which devices jobs may ask for: those that the configuration lists, of those that there are.
package struct GPUInventory: Sendable, Equatable {
    /// The devices, in the order of the configuration, or of the machine for `all`.
    package var devices: [GPUDevice] = []
    /// What the configuration lists and the machine does not have, in words.
    package var warnings: [String] = []

    /// Chooses the devices.
    ///
    /// - Parameters:
    ///   - configured: Indices or UUIDs, or `all`.
    ///   - found: The machine's devices; nil where nobody can be asked, as for an engine on another machine. Listed
    ///     ones are then taken at their word, and their memory is not known.
    package init(configured: [String], found: [GPUDevice]?) {
        guard let found else {
            if configured == ["all"] {
                warnings = ["gpus.devices is all, but there is no nvidia-smi here to ask: list the devices"]
            } else {
                devices = configured.map { GPUDevice(id: $0, index: Int($0)) }
            }
            return
        }
        if configured == ["all"] {
            devices = found
            return
        }
        for name in configured {
            if let device = found.first(where: { $0.isCalled(name) }) {
                if !devices.contains(device) { devices.append(device) }
            } else {
                let there = found.isEmpty ? "none" : found.map(\.label).joined(separator: ", ")
                warnings.append("gpus.devices lists \(name), which this machine does not have; it has \(there)")
            }
        }
    }
}
