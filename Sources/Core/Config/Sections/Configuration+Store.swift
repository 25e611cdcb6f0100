extension Configuration {
    /// The job database.
    public struct Store: Sendable, Hashable {
        /// The longest wait for another connection's lock.
        public var busyTimeout = Duration.seconds(5)
        /// The most changes in one commit.
        public var commitBatchMax = 512
        /// Whether the thread that commits runs at a real-time priority where the process may have one.
        public var realtime = true
        /// The size to which the write-ahead log is grown at the start.
        public var walPrewarmBytes = Int.mebibytes(4)
        /// How often small payloads become durable files, when no job comes just then.
        public var flushInterval = Duration.seconds(2)
        /// The longest time until they do while jobs keep coming.
        public var flushDelay = Duration.seconds(30)
        /// The small payload files after which they are made durable at once.
        public var flushBatch = 5000

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Store: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "busy_timeout", \.busyTimeout, .duration(.milliseconds(10) ... .minutes(10)),
            "Longest wait for the database's lock.",
            tune: "Raise it when backups hold the database for long.")
        Field.value(
            "commit_batch_max", \.commitBatchMax, .integer(1...100_000),
            "Most changes that share one commit, and so one fsync.",
            tune: "Lower it when single commits take too long on a slow disk.")
        Field.value(
            "realtime", \.realtime, .bool,
            "Whether the thread that commits runs at the lowest real-time priority, where the process may have one (as "
                + "root, with CAP_SYS_NICE or with LimitRTPRIO=1 of systemd). It works for a fraction of a millisecond at "
                + "a time, and every answer waits for it.",
            tune: "Turn it off where other real-time work must never wait for it.")
        Field.value(
            "wal_prewarm", \.walPrewarmBytes, .size(0 ... .gibibytes(1)),
            "Size to which the write-ahead log is grown at start: commits into a grown file are faster.",
            tune: "Raise it when more than this is written between two checkpoints; 0 switches it off.")
        Field.value(
            "flush_interval", \.flushInterval, .duration(.milliseconds(10) ... .minutes(10)),
            "How often small payloads become files, which are synced in one go, once no job has come for a moment. Until "
                + "then their rows hold a copy.",
            tune: "Raise it on disks with slow syncs; the database grows a little.")
        Field.value(
            "flush_delay", \.flushDelay, .duration(.milliseconds(10) ... .minutes(60)),
            "Longest time until they do while jobs keep coming: files are then made a few at a time, in between.",
            tune: "Lower it to keep the database small under load; raise it when files being made slow jobs down.")
        Field.value(
            "flush_batch", \.flushBatch, .integer(1...1_000_000),
            "Payloads, or as many times 4 KiB of them, for which neither is waited for, and the most files of one sync.",
            tune: "Lower it to keep the database small under bursts.")
    }
}
