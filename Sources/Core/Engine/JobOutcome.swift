/// A job together with its result, as far as there is one.
public struct JobOutcome: Sendable {
    /// The job.
    public let job: Job
    /// The result, when the job has completed and the result was asked for.
    public let result: JobResult?
    /// The result's stored text, base64 of zlib, when it is at hand.
    package let packed: [UInt8]?

    package init(job: Job, result: JobResult?, packed: [UInt8]? = nil) {
        self.job = job
        self.result = result
        self.packed = packed
    }
}
