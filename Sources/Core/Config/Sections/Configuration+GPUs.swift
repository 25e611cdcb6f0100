extension Configuration {
    /// The GPUs that jobs may ask for.
    public struct GPUs: Sendable, Hashable {
        /// The devices by index or UUID, or `all`; empty for none.
        public var devices: [String] = []
        /// The memory that one job may use of a device; nil for all of it.
        public var memoryLimitBytes: Int?
        /// Whether a device is given out only while no process computes on it.
        public var checkIdle = true
        /// The driver's multi-process service, which the operator runs.
        public var mps = MPS()

        /// Where the control daemons of the driver's multi-process service (MPS) are, one for each device.
        public struct MPS: Sendable, Hashable {
            /// The folder that holds the pipe directory of each device's daemon; nil where there are none.
            public var pipeDirectory: String?
            /// The folder that holds what is `/dev/shm` for each device's daemon; nil where there are none.
            public var shmDirectory: String?

            /// The section with every value at its default.
            public init() {}
        }

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
        Field.section(
            "mps", \.mps,
            "Control daemons of the driver's multi-process service (MPS), which keeps jobs that share a device to their "
                + "memory. One daemon for each device, started by the operator: docs/limits.md.")
    }

    package func check() -> [ConfigurationConflict] {
        if Set(devices).count < devices.count { return [.init("devices", message: "names a device twice")] }
        guard devices.contains("all"), devices.count > 1 else { return [] }
        return [.init("devices", message: "must hold all alone or single devices")]
    }
}

extension Configuration.GPUs.MPS: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "pipe_directory", \.pipeDirectory, .optional(.path, null: "MPS is not used"),
            "Folder with one folder for each device, named by its UUID: CUDA_MPS_PIPE_DIRECTORY of the daemon that serves "
                + "this device alone.",
            tune:
                "Set it where jobs of a tenant share devices and a program must not take more memory than its job has.")
        Field.value(
            "shm_directory", \.shmDirectory, .optional(.path, null: "MPS is not used"),
            "Folder with one folder for each device, named by its UUID: the tmpfs that is /dev/shm for its daemon, and "
                + "for the sandboxes that have a part of the device.",
            tune: "Set it together with pipe_directory.")
    }

    package func check() -> [ConfigurationConflict] {
        if pipeDirectory != nil, shmDirectory == nil {
            return [.init("shm_directory", with: "pipe_directory", message: "is missing: MPS needs both folders")]
        }
        if shmDirectory != nil, pipeDirectory == nil {
            return [.init("pipe_directory", with: "shm_directory", message: "is missing: MPS needs both folders")]
        }
        return []
    }
}
