/// A job together with its result, when it has one.
public struct JobOutcome: Sendable {
    /// The job.
    public let job: Job
    /// The result of a completed job.
    public let result: JobResult?
    /// Base64 of zlib of the result's bytes, when it is at hand, so that nobody needs to pack it again.
    package let packedText: [UInt8]?

    package init(job: Job, result: JobResult? = nil, packedText: [UInt8]? = nil) {
        self.job = job
        self.result = result
        self.packedText = packedText
    }
}
