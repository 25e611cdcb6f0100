/// An error that the engine reports to its caller.
///
/// The set of codes is closed, the message says what the user can change, and the cause is kept as a value.
public struct EngineError: Error, Sendable {
    /// What kind of error it is; the gateway maps each code to one HTTP status.
    public enum Code: String, Sendable, CaseIterable {
        /// The request has faults; `faults` lists all of them.
        case invalidRequest = "invalid-request"
        /// There is no such job (or it belongs to another tenant).
        case notFound = "not-found"
        /// The job has ended already.
        case alreadyTerminal = "already-terminal"
        /// The job has started already, so what was asked for queued jobs only is refused.
        case alreadyStarted = "already-started"
        /// The job ended without a result.
        case jobFailed = "job-failed"
        /// The job has not ended yet.
        case notFinished = "not-finished"
        /// More was asked for than the tenant or the engine allows.
        case limitExceeded = "limit-exceeded"
        /// The image, mount, network or runtime is not allowed.
        case notAllowed = "not-allowed"
        /// The feature does not exist here.
        case notSupported = "not-supported"
        /// There is one of this name already.
        case alreadyExists = "already-exists"
        /// The tenant has unfinished jobs.
        case tenantBusy = "tenant-busy"
        /// The tenant submits more jobs a minute than it may.
        case rateExceeded = "rate-exceeded"
        /// A payload is larger than the limit, as it stands or inflated.
        case payloadTooLarge = "payload-too-large"
        /// The idempotency key was used with another request.
        case keyReused = "key-reused"
        /// A request with the same idempotency key is being committed.
        case keyInFlight = "key-in-flight"
        /// The tenant's queue is full, or its rate is used up.
        case queueFull = "queue-full"
        /// The engine takes no jobs at present.
        case unavailable = "unavailable"
        /// The engine is shutting down.
        case draining = "draining"
        /// The disk is full or nearly so.
        case storageFull = "storage-full"
        /// The job store or an artifact cannot be read or written.
        case storage = "storage"
        /// A stored artifact does not match its checksum.
        case artifactCorrupt = "artifact-corrupt"
        /// The configuration is wrong.
        case configuration = "configuration"
        /// The container engine does not answer.
        case containerEngineUnavailable = "container-engine-unavailable"
        /// The container engine answered with an error.
        case containerEngineError = "container-engine-error"
        /// The container engine does not have the image.
        case imageNotFound = "image-not-found"
        /// A sandbox could not be started.
        case startFailed = "start-failed"
        /// A job's requirements could not be installed.
        case dependency = "dependency"
        /// A sandbox broke the runner protocol.
        case protocolViolation = "protocol"
        /// A sandbox was lost while it was in use.
        case lost = "lost"
        /// Time ran out.
        case timeout = "timeout"
        /// The caller cancelled.
        case cancelled = "cancelled"
        /// A fault of the engine itself.
        case internalFault = "internal"
    }

    /// One fault of a request, at one place in it.
    public struct Fault: Sendable, Equatable {
        /// A JSON pointer (RFC 6901) to the faulty value; empty for the whole request.
        public var pointer: String
        /// A short stable word for the kind of fault, such as `missing` or `out-of-range`.
        public var code: String
        /// What is wrong and what would be right.
        public var detail: String

        /// Makes a fault.
        public init(pointer: String, code: String, detail: String) {
            self.pointer = pointer
            self.code = code
            self.detail = detail
        }
    }

    /// What kind of error it is.
    public var code: Code
    /// What happened and what the user can change.
    public var message: String
    /// All faults of a request, for `invalidRequest`, `limitExceeded` and `notAllowed`.
    public var faults: [Fault]
    /// After how many seconds a retry may succeed, if that is known.
    public var retryAfterSeconds: Int?
    /// The error that led to this one.
    public var cause: (any Error)?
    /// What only the operator is told: words of others that name addresses or places of the host.
    package var operatorDetail: String?

    /// Makes an error.
    public init(
        _ code: Code, _ message: String, faults: [Fault] = [], retryAfterSeconds: Int? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.faults = faults
        self.retryAfterSeconds = retryAfterSeconds
        self.cause = cause
    }
}

extension EngineError: CustomStringConvertible {
    /// The message, each fault and the cause, for people.
    public var description: String {
        var text = message
        for fault in faults where fault.detail != message {
            text += "\n  \(fault.pointer.isEmpty ? "request" : fault.pointer): \(fault.detail)"
        }
        if let cause { text += " (\(cause))" }
        return text
    }
}
