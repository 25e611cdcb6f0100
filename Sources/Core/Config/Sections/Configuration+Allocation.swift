extension Configuration {
    /// What all sandboxes together may take of the machine.
    public struct Allocation: Sendable, Hashable {
        /// The processors; nil for all of the machine's.
        public var cpus: Double?
        /// The memory; nil for all of the machine's.
        public var memoryBytes: Int?
        /// How often each processor is handed out.
        public var cpuFactor = 4.0
        /// How often each byte of memory is handed out.
        public var memoryFactor = 1.0

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Allocation: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "cpus", \.cpus, .optional(.number(0.01...65_536), null: "all processors of the machine"),
            "Processors that all sandboxes together may take, before cpu_factor.",
            tune: "Set it when other services need processors of the machine.")
        Field.value(
            "memory", \.memoryBytes,
            .optional(.size(.mebibytes(16) ... .tebibytes(1024)), null: "all memory of the machine"),
            "Memory that all sandboxes together may take, before memory_factor.",
            tune: "Set it below the machine's memory when other services run there, or when it has no swap to spare.")
        Field.value(
            "cpu_factor", \.cpuFactor, .number(0.1...100),
            "How often each processor is handed out. Work that waits for a processor only gets slower, and few sandboxes "
                + "compute at the same time, so more is handed out than there is.",
            tune: "1 gives each sandbox its processors for itself; raise it when most tasks wait for something else.")
        Field.value(
            "memory_factor", \.memoryFactor, .number(0.1...100),
            "How often each byte of memory is handed out. Where memory runs out, the kernel kills.",
            tune: "Raise it when sandboxes use a small part of their memory, and watch for jobs that end as oom.")
    }
}
