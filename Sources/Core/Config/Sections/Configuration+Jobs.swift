extension Configuration {
    /// The jobs: how they are claimed, and how much of everything one may have.
    public struct Jobs: Sendable, Hashable {
        /// When the claim of a job is durable.
        public var claim = Claim.overlapped
        /// How long the first commit of a job waits for the job's end, when its submitter does.
        public var claimHold = Duration.milliseconds(25)
        /// The longest run of a job that does not say.
        public var defaultTimeout = Duration.hours(1)
        /// The longest wait in the queue of a job that does not say.
        public var queueTimeout = Duration.hours(24)
        /// The unfinished jobs of one tenant, running ones included.
        public var queueMax = 100_000
        /// What the unfinished jobs of one tenant may hold of memory.
        public var queueSizeMaxBytes = Int.mebibytes(256)
        /// The jobs of one batch.
        public var batchMax = 1000
        /// The most attempts that a job may ask for.
        public var maxAttemptsMax = 20
        /// The events kept of one job.
        public var eventsMax = 10_000
        /// The output kept of each stream.
        public var logLimitBytes = Int.mebibytes(1)
        /// The largest result.
        public var resultLimitBytes = Int.mebibytes(64)
        /// The files kept of what a task leaves in its output folder.
        public var outputsMax = 1000
        /// The largest of them.
        public var outputFileLimitBytes = Int.gibibytes(1)
        /// The bytes of all of them.
        public var outputLimitBytes = Int.gibibytes(1)
        /// How long a job waits for them to be read.
        public var outputTimeout = Duration.seconds(60)
        /// The largest payload as it is sent.
        public var payloadEncodedMaxBytes = Int.mebibytes(64)
        /// The largest payload after inflating.
        public var payloadInflatedMaxBytes = Int.mebibytes(256)
        /// The largest compressed payload that rides in the job's row until it is safe as a file.
        public var inlineMaxBytes = Int.kibibytes(16)
        /// How long running jobs may take to end at shutdown.
        public var drainTimeout = Duration.seconds(30)

        /// When the claim of a job is durable.
        public enum Claim: String, Sendable, CaseIterable {
            /// A first attempt without an idempotency key may start while its claim is written.
            case overlapped
            /// Every claim is on disk before the task starts.
            case strict
        }

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Jobs: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "claim", \.claim, .choice,
            "When the claim of a job is on disk. overlapped: a first attempt without an Idempotency-Key may start "
                + "while its claim is written, and both are awaited before any answer. strict: always before it starts.",
            tune: "strict costs about a millisecond; choose it when tasks act on the outside world.")
        Field.value(
            "claim_hold", \.claimHold, .duration(.zero ... .seconds(1)),
            "With claim overlapped: how long a job is held back from the disk while its submitter waits for its end, so "
                + "that a short job costs one commit and no wait for another. 0s commits at once.",
            tune: "Lower it when jobs should show up in lists at once, raise it when disk writes are slow.")
        Field.value(
            "default_timeout", \.defaultTimeout, .duration(.milliseconds(1) ... .days(365)),
            "Longest run of a job that does not say.",
            tune: "Lower it to what your tasks take, and one that hangs frees its sandbox sooner.")
        Field.value(
            "queue_timeout", \.queueTimeout, .duration(.seconds(1) ... .days(365)),
            "Longest time in the queue of a job that does not say, that of all its attempts together; then it ends as "
                + "expired.",
            tune: "Lower it when late answers are of no use.")
        Field.value(
            "queue_max", \.queueMax, .integer(1...10_000_000),
            "Unfinished jobs of one tenant, those that run included; further ones are answered 429.",
            tune: "Lower it to push back on callers sooner.")
        Field.value(
            "queue_size_max", \.queueSizeMaxBytes, .size(.kibibytes(64) ... .tebibytes(1)),
            "Memory that the unfinished jobs of one tenant may hold with their variables, requirements, labels, mounts and "
                + "names of modules and secrets; further ones that have any are answered 429. Inputs do not count: they "
                + "wait on disk.",
            tune: "Raise it for long queues of jobs with large variables; lower it where there are many tenants.")
        Field.value(
            "batch_max", \.batchMax, .integer(1...100_000),
            "Jobs in one batch.", tune: "Raise it together with gateway.json_body_max.")
        Field.value(
            "max_attempts_max", \.maxAttemptsMax, .integer(1...1000),
            "Most attempts that a job may ask for.",
            tune: "Lower it when failing jobs crowd out others.")
        Field.value(
            "events_max", \.eventsMax, .integer(10...1_000_000),
            "Events kept of one job, its output and all its attempts counted. Beyond it output comes in pieces of "
                + "64 KiB, and what its task emits is dropped after 1,000 more at most. Whatever stands here, a sandbox "
                + "sends no more than 10,000 events of an attempt, of 1 MiB together.",
            tune: "Raise it for jobs that emit much beside much output, or in several attempts; lower it to keep less.")
        Field.value(
            "log_limit", \.logLimitBytes, .size(.kibibytes(4) ... .gibibytes(1)),
            "Output kept of each of stdout and stderr: its head and its tail.",
            tune: "Raise it for tasks whose whole output matters.")
        Field.value(
            "result_limit", \.resultLimitBytes, .size(.kibibytes(1) ... .gibibytes(1)),
            "Largest result, pickled and before compression.",
            tune: "Raise it for large results, together with sandbox.memory.")
        Field.value(
            "outputs_max", \.outputsMax, .integer(0...100_000),
            "Files kept of what a task leaves in $SLIPWAY_OUTPUT; further ones are left out. 0 keeps none.",
            tune: "Raise it for tasks that write many small files; an archive of them costs less.")
        Field.value(
            "output_file_limit", \.outputFileLimitBytes, .size(0 ... .gibibytes(64)),
            "Largest file kept; a larger one is left out.",
            tune: "Lower it to keep single large files off the disk.")
        Field.value(
            "output_limit", \.outputLimitBytes, .size(0 ... .gibibytes(64)),
            "Bytes of all files kept of one job; files beyond are left out.",
            tune: "Raise it together with resources.tmp (sandbox.tmp), which is where tasks write them.")
        Field.value(
            "output_timeout", \.outputTimeout, .duration(.seconds(1) ... .hours(24)),
            "How long the files of one job may take to be read, after its task; what is not read by then is left out.",
            tune: "Raise it together with jobs.output_limit, for slow disks and remote engines.")
        Field.value(
            "payload_encoded_max", \.payloadEncodedMaxBytes, .size(.kibibytes(1) ... .gibibytes(1)),
            "Largest payload as it is sent, compressed and in base64.",
            tune: "Lower it to refuse large uploads sooner.")
        Field.value(
            "payload_inflated_max", \.payloadInflatedMaxBytes, .size(.kibibytes(1) ... .gibibytes(4)),
            "Largest payload after inflating.",
            tune: "Lower it to bound what a small upload can turn into.")
        Field.value(
            "inline_max", \.inlineMaxBytes, .size(0 ... .mebibytes(1)),
            "Largest compressed payload or result that rides in the job's row until its file is known to be on disk.",
            tune: "Raise it when most payloads are a little larger and each waits for its own fsync.")
        Field.value(
            "drain_timeout", \.drainTimeout, .duration(.seconds(0) ... .hours(24)),
            "How long running jobs may take to end when the engine stops.",
            tune: "Keep it below the time that your service manager waits before it kills.")
    }
}
