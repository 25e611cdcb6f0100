/// The state of a job.
///
/// `queued -> starting -> running -> completed | error | cancelled`; a retry goes back to `queued`.
/// The diagram is in `docs/job-states.md`.
public enum JobState: String, Sendable, CaseIterable, Codable {
    /// Accepted, waiting for a sandbox.
    case queued
    /// Claimed for a sandbox that is being prepared.
    case starting
    /// The task was handed to the runner.
    case running
    /// Ended with a result.
    case completed
    /// Ended without a result; the job's error says why.
    case error
    /// Ended because somebody cancelled it.
    case cancelled

    /// Whether the state is final.
    public var isTerminal: Bool {
        switch self {
        case .queued, .starting, .running: false
        case .completed, .error, .cancelled: true
        }
    }

    /// The states that may follow this one.
    package var successors: [JobState] {
        switch self {
        case .queued: [.starting, .error, .cancelled]
        case .starting: [.queued, .running, .error, .cancelled, .completed]
        case .running: [.queued, .completed, .error, .cancelled]
        case .completed, .error, .cancelled: []
        }
    }

    /// Whether a job in this state may go to `next`.
    package func allows(_ next: JobState) -> Bool { successors.contains(next) }
}
