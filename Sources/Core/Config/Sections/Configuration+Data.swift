extension Configuration {
    /// Where the engine keeps what must last, and for how long.
    public struct Data: Sendable, Hashable {
        /// The data folder; nil for the user's own, which `directoryPath(environment:)` finds.
        public var directory: String?
        /// The folder of payloads and results; nil for `artifacts` in the data folder.
        public var artifacts: String?
        /// The folder of the sockets to the sandboxes; nil for a short path that `socketPath(environment:)` finds.
        public var socketDirectory: String?
        /// The free space below which submissions are refused.
        public var minFreeBytes = Int.mebibytes(256)
        /// How long finished jobs are kept.
        public var retention = Duration.days(7)
        /// How long an idempotency key is remembered.
        public var idempotencyRetention = Duration.hours(24)

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Data: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "directory", \.directory, .optional(.folder, null: "$XDG_DATA_HOME/slipway, or ~/.local/share/slipway"),
            "Folder of the job database, the keys and the engine's lock. One engine at a time uses a folder.",
            tune: "Set it for a service, to a disk of the machine itself: the database does not work on NFS.")
        Field.value(
            "artifacts", \.artifacts, .optional(.folder, null: "artifacts below the data folder"),
            "Folder where payloads and results rest.",
            tune: "Set it to put large payloads on another disk than the database.")
        Field.value(
            "socket_directory", \.socketDirectory,
            .optional(.folder, null: "a folder in $XDG_RUNTIME_DIR, or in /tmp"),
            "Folder of the sockets through which the engine talks to its sandboxes.",
            tune:
                "Set it when the default is not visible to the Docker engine. Keep it short: a socket's whole path has "
                + "at most 107 bytes.")
        Field.value(
            "min_free", \.minFreeBytes, .size(0 ... .tebibytes(1)),
            "Free space below which no job is accepted, so that accepted ones can still finish.",
            tune: "Raise it when results are large or the disk is shared.")
        Field.value(
            "retention", \.retention, .duration(.seconds(1) ... .days(3650)),
            "How long finished jobs and their results are kept.",
            tune: "Lower it when the artifacts folder grows too large.")
        Field.value(
            "idempotency_retention", \.idempotencyRetention, .duration(.minutes(1) ... .days(365)),
            "How long an Idempotency-Key is remembered and answered with its first job.",
            tune: "Raise it when clients retry for longer than a day.")
    }
}
