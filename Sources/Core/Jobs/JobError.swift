/// Why a job ended in state `error`.
public struct JobError: Sendable, Equatable {
    /// What kind of failure it was.
    public enum Kind: String, Sendable, CaseIterable, Codable {
        /// The task raised an exception.
        case exception
        /// The task ended itself with an exit code or by a signal.
        case exit
        /// The task ran longer than its timeout.
        case timeout
        /// The task used more memory than its limit.
        case oom
        /// The sandbox or the engine went away while the task ran.
        case lost
        /// The runner or the task broke the protocol, or the Python versions do not fit.
        case `protocol`
        /// The requirements could not be installed.
        case dependency
        /// No sandbox could be started.
        case startFailed = "start_failed"
        /// A stored payload does not match its checksum.
        case artifactCorrupt = "artifact_corrupt"
        /// The job waited longer than its queue timeout.
        case expired
    }

    /// What kind of failure it was.
    public var kind: Kind
    /// The exception's class name, for `exception`.
    public var type: String?
    /// What happened.
    public var message: String
    /// The traceback of the task, for `exception`.
    public var traceback: String?

    /// Makes a job error.
    public init(kind: Kind, type: String? = nil, message: String, traceback: String? = nil) {
        self.kind = kind
        self.type = type
        self.message = message
        self.traceback = traceback
    }
}
