extension Configuration {
    /// The GPUs that jobs may ask for.
    public struct GPUs: Sendable, Hashable {
        /// The devices by index or UUID, or `all`; empty for none.
        public var devices: [String] = []
        /// The memory that one job may use of a device; nil for all of it.
        public var memoryLimitBytes: Int?
        /// Whether a device is given out only while no process computes on it.
        public var checkIdle = true

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.GPUs: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "devices", \.devices,
            .list(
                .word("the index or UUID of a GPU, or all", extra: "-_:./"), max: 256),
            "GPUs that jobs may ask for, by index or UUID; all for every one of the host. Empty: none.",
            tune: "List those that other services leave alone.", fallback: "DOCKER_GPU_DEVICES")
        Field.value(
            "memory_limit", \.memoryLimitBytes,
            .optional(.size(.mebibytes(16) ... .tebibytes(1)), null: "all memory of the device"),
            "Device memory that one job may use.",
            tune: "Set it when jobs share a device.", fallback: "DOCKER_GPU_MEMORY_LIMIT")
        Field.value(
            "check_idle", \.checkIdle, .bool,
            "Whether a device is given out only while no process of the machine computes on it, as nvidia-smi tells. What "
                + "a task leaves on a device then never meets the next one.",
            tune: "Turn it off where other programs compute on the same devices for good.")
    }

    package func check() -> [ConfigurationConflict] {
        if Set(devices).count < devices.count { return [.init("devices", message: "names a device twice")] }
        guard devices.contains("all"), devices.count > 1 else { return [] }
        return [.init("devices", message: "must hold all alone or single devices")]
    }
}
