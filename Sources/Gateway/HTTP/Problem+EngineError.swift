import HTTPTypes
import SlipwayCore

extension Problem {
    /// The answer to an error of the engine: the one place where codes become HTTP statuses.
    ///
    /// Faults of the service say nothing but their kind: messages may name paths or other tenants, and are for the log.
    init(_ error: EngineError) {
        if let parse = error.cause as? JSONParseError {
            self.init(parse)
            return
        }
        switch error.code {
        case .notFound:
            self = .notFound
        case .invalidRequest, .limitExceeded, .notAllowed, .notSupported, .keyReused, .imageNotFound,
            .dependency:
            let count = error.faults.count
            let detail = count > 1 ? "The request has \(count) faults." : error.message
            self.init(.unprocessableContent, error.code.rawValue, detail, errors: error.faults)
        case .payloadTooLarge:
            self.init(.contentTooLarge, error.code.rawValue, error.message, errors: error.faults)
        case .alreadyTerminal, .alreadyStarted, .notFinished, .jobFailed, .keyInFlight, .alreadyExists, .tenantBusy:
            self.init(.conflict, error.code.rawValue, error.message)
        case .queueFull, .rateExceeded:
            self.init(.tooManyRequests, error.code.rawValue, error.message)
        case .storageFull:
            self.init(
                .init(code: 507, reasonPhrase: "Insufficient Storage"), error.code.rawValue,
                "The disk is full or nearly so; no job is accepted.")
        case .unavailable:
            self.init(.serviceUnavailable, error.code.rawValue, "The engine takes no jobs at present.")
        case .draining:
            self.init(.serviceUnavailable, error.code.rawValue, "The engine is shutting down.")
        case .containerEngineUnavailable:
            self.init(.serviceUnavailable, error.code.rawValue, "The container engine does not answer.")
        case .artifactCorrupt:
            self.init(.internalServerError, error.code.rawValue, "The stored bytes do not match their checksum.")
        case .storage, .configuration, .containerEngineError, .startFailed, .protocolViolation, .lost, .timeout,
            .cancelled, .internalFault:
            self = .internalFault(error)
        }
        cause = status.code >= 500 ? error : nil
        if let seconds = error.retryAfterSeconds ?? Self.retryAfterSeconds(error.code) {
            headers[.retryAfter] = "\(seconds)"
        }
    }

    /// 500 that says nothing but where to look.
    static func internalFault(_ cause: any Error) -> Problem {
        var problem = Problem(
            .internalServerError, "internal", "Something failed here. The log has the reason under the request id.")
        problem.cause = cause
        return problem
    }

    private static func retryAfterSeconds(_ code: EngineError.Code) -> Int? {
        switch code {
        case .keyInFlight: 1
        case .queueFull, .rateExceeded, .unavailable, .draining, .containerEngineUnavailable: 5
        default: nil
        }
    }
}
