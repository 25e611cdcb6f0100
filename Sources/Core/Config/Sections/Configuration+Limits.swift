extension Configuration {
    /// The most that one job may ask for.
    public struct Limits: Sendable, Hashable {
        /// The most processors; nil for all of the host's.
        public var cpus: Double?
        /// The most memory; nil for all of the host's.
        public var memoryBytes: Int?
        /// The most processes and threads.
        public var pids = 4096
        /// The largest `/tmp`.
        public var tmpBytes = Int.gibibytes(8)
        /// The largest `/dev/shm`.
        public var shmBytes = Int.gibibytes(8)
        /// The most open files of one process.
        public var openFiles = 65_536
        /// The longest run.
        public var timeout = Duration.hours(24)

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Limits: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "cpus", \.cpus, .optional(.number(0.01...1024), null: "all processors of the host"),
            "Most processors that a job may ask for.",
            tune: "Set it so that one job cannot have the whole machine.")
        Field.value(
            "memory", \.memoryBytes,
            .optional(.size(.mebibytes(32) ... .tebibytes(64)), null: "all memory of the host"),
            "Most memory that a job may ask for.",
            tune: "Set it so that one job cannot have the whole machine.")
        Field.value(
            "pids", \.pids, .integer(16...4_194_304),
            "Most processes and threads that a job may ask for.",
            tune: "Lower it on machines with a small kernel.pid_max.")
        Field.value(
            "tmp", \.tmpBytes, .size(.mebibytes(1) ... .tebibytes(1)),
            "Largest /tmp that a job may ask for.",
            tune: "Raise it on machines with much memory.")
        Field.value(
            "shm", \.shmBytes, .size(.kibibytes(64) ... .tebibytes(1)),
            "Largest /dev/shm that a job may ask for.",
            tune: "Raise it on machines with much memory.")
        Field.value(
            "open_files", \.openFiles, .integer(64...1_048_576),
            "Most open files of one process that a job may ask for.",
            tune: "Lower it when the host's own limit is lower.")
        Field.value(
            "timeout", \.timeout, .duration(.seconds(1) ... .days(365)),
            "Longest run that a job may ask for.",
            tune: "Raise it for training runs of several days.")
    }
}
