/// What is missing at present to start one more sandbox.
package struct Shortage: Sendable, Equatable {
    /// Thousandths of cores that are missing; 0 for none.
    package var milliCPUs = 0
    /// Bytes of memory that are missing; 0 for none.
    package var memoryBytes = 0
    /// Whether devices are missing.
    package var gpus = false
    /// Whether the size of the machine is not known yet.
    package var isUnknown = false

    /// Makes a shortage; without anything nothing is missing.
    package init(milliCPUs: Int = 0, memoryBytes: Int = 0, gpus: Bool = false, isUnknown: Bool = false) {
        self.milliCPUs = milliCPUs
        self.memoryBytes = memoryBytes
        self.gpus = gpus
        self.isUnknown = isUnknown
    }

    /// Whether nothing is missing.
    package var isNone: Bool { milliCPUs <= 0 && memoryBytes <= 0 && !gpus && !isUnknown }

    /// What is missing, in words, such as `memory (536870912 bytes)`.
    package var text: String {
        if isUnknown { return "the size of the machine, which its engine has not told yet" }
        var parts: [String] = []
        if milliCPUs > 0 { parts.append("processors (\(Capacity.cores(milliCPUs)) more)") }
        if memoryBytes > 0 { parts.append("memory (\(memoryBytes) more bytes)") }
        if gpus { parts.append("GPUs") }
        return parts.joined(separator: " and ")
    }
}
