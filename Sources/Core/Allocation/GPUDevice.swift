/// One graphics processor, or one part of a processor that the hardware itself keeps apart (MIG).
package struct GPUDevice: Sendable, Hashable {
    /// What identifies it to the driver: its UUID, or what the configuration calls it.
    package var id: String
    /// Its place among the host's devices; nil for a part of one, or when it is not known.
    package var index: Int?
    /// The product's name; empty when it is not known.
    package var name: String
    /// Its memory in bytes; nil when it is not known.
    package var memoryBytes: Int?
    /// Whether it is an instance of a device in MIG mode, whose memory the hardware enforces.
    package var isInstance: Bool

    /// Makes a device.
    package init(id: String, index: Int? = nil, name: String = "", memoryBytes: Int? = nil, isInstance: Bool = false) {
        self.id = id
        self.index = index
        self.name = name
        self.memoryBytes = memoryBytes
        self.isInstance = isInstance
    }

    /// How people and jobs call it: its index where it has one.
    package var label: String { index.map(String.init) ?? id }

    /// Whether a job that names a device means this one.
    package func isCalled(_ name: String) -> Bool { name == id || name == label }
}
