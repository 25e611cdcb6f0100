import Foundation

/// One attempt of one job.
package struct JobAttempt: Sendable, Hashable {
    /// The job.
    package var id: JobID
    /// The number of the attempt.
    package var attempt: Int

    package init(id: JobID, attempt: Int) {
        self.id = id
        self.attempt = attempt
    }
}

/// An attempt whose START was sent.
package struct StartedAttempt: Sendable {
    package var attempt: JobAttempt
    /// When it was sent.
    package var at: Date

    package init(_ attempt: JobAttempt, at: Date) {
        self.attempt = attempt
        self.at = at
    }
}

/// The claim of a queued job for a sandbox.
package struct JobClaim: Sendable {
    /// The job and the attempt that begins: the queued row's attempt, at least 1.
    package var attempt: JobAttempt
    /// The sandbox.
    package var sandbox: String
    /// The nonce of the attempt's frames.
    package var nonce: [UInt8]
    /// How the sandbox came about.
    package var start: Job.Start?
    /// The boot of the host.
    package var bootID: String?
    /// The moment of the claim.
    package var at: Date

    package init(
        attempt: JobAttempt, sandbox: String, nonce: [UInt8], start: Job.Start?, bootID: String?, at: Date
    ) {
        self.attempt = attempt
        self.sandbox = sandbox
        self.nonce = nonce
        self.start = start
        self.bootID = bootID
        self.at = at
    }
}

/// The end of a job.
package struct JobFinish: Sendable {
    /// The job and the attempt that ended.
    package var attempt: JobAttempt
    /// The terminal state.
    package var state: JobState
    /// Why it failed.
    package var error: JobError?
    /// The exit code of a command, or of a task that ended itself.
    package var exitCode: Int?
    /// What the task used.
    package var usage: Job.Usage?
    /// How long its phases took.
    package var timings: Job.Timings
    /// When the attempt was handed to the runner; nil keeps what the row has.
    package var startedAt: Date?
    /// When it ended.
    package var finishedAt: Date
    /// The result.
    package var result: StoredArtifact?
    /// What the result's bytes are.
    package var resultMedia: JobResult.Media?
    /// The logs and events.
    package var journal: StoredArtifact?
    /// The files that the task left.
    package var outputs: StoredOutputs?
    /// The graphics processors that it had.
    package var gpus: Job.GPUs?

    package init(
        attempt: JobAttempt, state: JobState, error: JobError? = nil, exitCode: Int? = nil, usage: Job.Usage? = nil,
        timings: Job.Timings, startedAt: Date? = nil, finishedAt: Date, result: StoredArtifact? = nil,
        resultMedia: JobResult.Media? = nil, journal: StoredArtifact? = nil, outputs: StoredOutputs? = nil,
        gpus: Job.GPUs? = nil
    ) {
        self.attempt = attempt
        self.state = state
        self.gpus = gpus
        self.error = error
        self.exitCode = exitCode
        self.usage = usage
        self.timings = timings
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.result = result
        self.resultMedia = resultMedia
        self.journal = journal
        self.outputs = outputs
    }
}

/// A change to the store; operations of many callers share one commit, and each is atomic by itself.
package enum StoreOperation: Sendable {
    /// New jobs of one tenant, queued, or claimed already (state `starting`, attempt 1).
    case insert([JobRow], idempotency: IdempotencyClaim?)
    /// `queued -> starting`.
    case claim(JobClaim)
    /// `starting -> running`, for each that is still there.
    case markRunning([StartedAttempt])
    /// Any legal step to a terminal state.
    case finish(JobFinish)
    /// Back to `queued`: as the next attempt, or as the same one when START provably never left the host.
    /// The end of its time in the queue stays as it is without another one.
    case requeue(
        JobAttempt, notBeforeMilliseconds: Int64?, queueDeadlineMilliseconds: Int64? = nil, sameAttempt: Bool)
    /// Notes the wish on a job that has not ended.
    case requestCancel(JobID)
    /// Removes a terminal job; its files go soon after, its idempotency key stays.
    case delete(JobID, tenant: TenantID)
    /// Removes these jobs where they are terminal.
    case purge([JobID])
    /// Forgets idempotency keys made before a moment.
    case forgetKeys(before: Date)
    /// Adds or replaces a sandbox.
    case putSandbox(SandboxRecord)
    /// Removes sandboxes.
    case removeSandboxes([String])
    /// Adds a tenant; one that exists stays as it is.
    case addTenant(TenantRecord)
    /// Suspends or resumes a tenant.
    case setSuspended(TenantID, Bool)
    /// Removes a tenant that has no jobs any more.
    case removeTenant(TenantID)
    /// Adds an API key.
    case addKey(APIKeyRecord)
    /// Revokes an API key of a tenant.
    case revokeKey(String, tenant: TenantID, at: Date)
    /// Sets a value of the engine's own.
    case setMeta(key: String, value: String)
    /// Drops inline copies whose files are durable, and removed jobs whose files are gone.
    case settle(copies: [Int64], trash: [JobID])
}

/// What became of an operation.
package enum StoreOutcome: Sendable, Equatable {
    /// Done, without conditions.
    case done
    /// Whether the compare-and-set found what it expected.
    case applied(Bool)
    /// How many items were changed.
    case changed(Int)
    /// The idempotency key has these jobs already, from the same request.
    case replay([JobID])
    /// The idempotency key belongs to another request.
    case keyReused
    /// There is no such job.
    case missing

    /// Whether rows were not taken, because their idempotency key had been used before.
    package var isRefusal: Bool {
        switch self {
        case .replay, .keyReused: true
        case .done, .applied, .changed, .missing: false
        }
    }
}

extension StoreOperation {
    /// Whether it gives back a claim whose START never left.
    var givesBack: Bool {
        if case .requeue(_, _, _, sameAttempt: true) = self { true } else { false }
    }
}
