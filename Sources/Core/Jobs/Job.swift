import Foundation

/// A snapshot of a job.
public struct Job: Sendable {
    /// How the sandbox of a job came about.
    public enum Start: String, Sendable, Codable {
        /// A sandbox that had served this tenant before.
        case warm
        /// A prepared sandbox that had served nobody.
        case stem
        /// A sandbox started for this job.
        case cold
    }

    /// How long the phases of a job took, in seconds.
    public struct Timings: Sendable, Equatable {
        /// From submission to the claim.
        public var queued: Double?
        /// From the claim to the hand-over to the runner.
        public var start: Double?
        /// From the hand-over to the result.
        public var run: Double?
        /// From submission to the end.
        public var total: Double?

        package init(queued: Double? = nil, start: Double? = nil, run: Double? = nil, total: Double? = nil) {
            self.queued = queued
            self.start = start
            self.run = run
            self.total = total
        }
    }

    /// What a task used, as far as it is known.
    public struct Usage: Sendable, Equatable {
        /// Processor time in seconds.
        public var cpuSeconds: Double
        /// The largest resident set in bytes.
        public var maxRSSBytes: Int
        /// The most memory in bytes that the task's whole sandbox had held by the end of the task, earlier tasks and the
        /// runner included; nil for a task of less than 10 ms, and where no control group tells it.
        public var sandboxMemoryPeakBytes: Int?

        package init(cpuSeconds: Double, maxRSSBytes: Int, sandboxMemoryPeakBytes: Int? = nil) {
            self.cpuSeconds = cpuSeconds
            self.maxRSSBytes = maxRSSBytes
            self.sandboxMemoryPeakBytes = sandboxMemoryPeakBytes
        }
    }

    /// The identifier.
    public let id: JobID
    /// The tenant that the job belongs to.
    public let tenant: TenantID
    /// The name that the submitter gave.
    public var name: String?
    /// What kind of task it is.
    public var kind: TaskSpec.Kind
    /// The handler that runs it.
    public var handler: String
    /// The state.
    public var state: JobState
    /// The number of the current or last attempt; 0 before the first.
    public var attempt: Int
    /// When it was submitted.
    public var createdAt: Date
    /// When the last attempt was handed to the runner.
    public var startedAt: Date?
    /// When it ended.
    public var finishedAt: Date?
    /// How long its phases took.
    public var timings: Timings
    /// How its sandbox came about.
    public var start: Start?
    /// The sandbox of its last attempt.
    public var sandbox: String?
    /// The exit code of a command, or of a task that ended itself.
    public var exitCode: Int?
    /// What the task used.
    public var usage: Usage?
    /// The graphics processors that it has or had; nil for none.
    public var gpus: GPUs?
    /// Why it failed.
    public var error: JobError?
    /// What it waits for that the machine or its tenant's share lacks at present; nil when it waits for no such thing.
    public var message: String?
    /// Whether somebody asked to cancel it.
    public var cancelRequested: Bool
    /// The labels that the submitter gave.
    public var labels: [String: String]

    package init(
        id: JobID, tenant: TenantID, name: String? = nil, kind: TaskSpec.Kind, handler: String, state: JobState,
        attempt: Int = 0, createdAt: Date, startedAt: Date? = nil, finishedAt: Date? = nil,
        timings: Timings = Timings(), start: Start? = nil, sandbox: String? = nil, exitCode: Int? = nil,
        usage: Usage? = nil, error: JobError? = nil, cancelRequested: Bool = false, labels: [String: String] = [:]
    ) {
        self.id = id
        self.tenant = tenant
        self.name = name
        self.kind = kind
        self.handler = handler
        self.state = state
        self.attempt = attempt
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.timings = timings
        self.start = start
        self.sandbox = sandbox
        self.exitCode = exitCode
        self.usage = usage
        self.error = error
        self.cancelRequested = cancelRequested
        self.labels = labels
    }
}

extension Job {
    /// The job as it may be told: what belongs to its end only together with the state of an end.
    ///
    /// A job has its end before that is durable, and its state only after.
    package var shown: Job {
        guard !state.isTerminal else { return self }
        var job = self
        job.finishedAt = nil
        job.timings.run = nil
        job.timings.total = nil
        job.exitCode = nil
        job.usage = nil
        job.error = nil
        return job
    }
}
