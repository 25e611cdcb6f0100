import Foundation

/// An artifact as the job's row describes it.
package struct StoredArtifact: Sendable, Equatable {
    /// SHA-256 of the text.
    package var digest: [UInt8]
    /// Size of the text in bytes.
    package var encodedSize: Int
    /// Size of the inflated bytes.
    package var plainSize: Int
    /// The text itself, while the artifact's file is not known to be durable.
    package var inline: [UInt8]?

    package init(digest: [UInt8], encodedSize: Int, plainSize: Int, inline: [UInt8]? = nil) {
        self.digest = digest
        self.encodedSize = encodedSize
        self.plainSize = plainSize
        self.inline = inline
    }

    /// Describes a payload; with `inline` the row carries its text until the file is durable.
    package init(_ payload: PackedPayload, inline: Bool) {
        self.init(
            digest: payload.digest, encodedSize: payload.text.count, plainSize: payload.plainSize,
            inline: inline ? payload.text : nil)
    }
}

/// Everything durable about a job.
package struct JobRow: Sendable {
    /// The job as callers see it.
    package var job: Job
    /// Tries in all.
    package var maxAttempts: Int
    /// Wait before the second try, in milliseconds.
    package var backoffMilliseconds: Int
    /// Jobs of higher priority go first.
    package var priority: Int
    /// How long the task may run, in milliseconds.
    package var timeoutMilliseconds: Int?
    /// When the job stops waiting, in milliseconds since 1970.
    package var queueDeadlineMilliseconds: Int64?
    /// Before when a retry does not start, in milliseconds since 1970.
    package var notBeforeMilliseconds: Int64?
    /// What else the engine needs to run the job; opaque to the store.
    package var options: [UInt8]
    /// The nonce of the current attempt's frames.
    package var nonce: [UInt8]?
    /// The boot of the host in which the current attempt was claimed.
    package var bootID: String?
    /// The task's input.
    package var input: StoredArtifact?
    /// The result.
    package var result: StoredArtifact?
    /// What the result's bytes are.
    package var resultMedia: JobResult.Media?
    /// The logs and events.
    package var journal: StoredArtifact?

    package init(
        job: Job, maxAttempts: Int, backoffMilliseconds: Int, priority: Int, timeoutMilliseconds: Int? = nil,
        queueDeadlineMilliseconds: Int64? = nil, notBeforeMilliseconds: Int64? = nil, options: [UInt8],
        nonce: [UInt8]? = nil, bootID: String? = nil, input: StoredArtifact? = nil, result: StoredArtifact? = nil,
        resultMedia: JobResult.Media? = nil, journal: StoredArtifact? = nil
    ) {
        self.job = job
        self.maxAttempts = maxAttempts
        self.backoffMilliseconds = backoffMilliseconds
        self.priority = priority
        self.timeoutMilliseconds = timeoutMilliseconds
        self.queueDeadlineMilliseconds = queueDeadlineMilliseconds
        self.notBeforeMilliseconds = notBeforeMilliseconds
        self.options = options
        self.nonce = nonce
        self.bootID = bootID
        self.input = input
        self.result = result
        self.resultMedia = resultMedia
        self.journal = journal
    }

    /// Where the job stands.
    package var position: JobTransition.Position { .init(job.state, attempt: job.attempt) }
}
