import Foundation

/// Something that happened to a job, or that its task said.
public struct JobEvent: Sendable {
    /// The job.
    public let jobID: JobID
    /// The number of the event within its job, from 1.
    public let seq: Int
    /// When it happened.
    public let time: Date
    /// What kind of event it is, such as `job_update`, `log`, `progress`, or a word of the task's own.
    public let type: String
    /// The whole event as one JSON object, with `type`, `job_id`, `seq` and `time`.
    public let json: [UInt8]

    package init(jobID: JobID, seq: Int, time: Date, type: String, json: [UInt8]) {
        self.jobID = jobID
        self.seq = seq
        self.time = time
        self.type = type
        self.json = json
    }
}
