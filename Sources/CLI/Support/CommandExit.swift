import ArgumentParser
import Foundation
import SlipwayCore

/// The end of a command with a code other than 0, and what the user is told.
struct CommandExit: Error {
    /// All went well.
    static let done: Int32 = 0
    /// The job failed, or a check did.
    static let failed: Int32 = 1
    /// The arguments or the request are wrong.
    static let usage: Int32 = 2
    /// Something cannot be reached or started.
    static let unreachable: Int32 = 3
    /// What a shell shows for a process that writes to a closed pipe.
    static let brokenPipe: Int32 = 141

    let code: Int32
    /// One or more lines for standard error; nil when everything was said.
    let message: String?
    /// Whether standard output can no longer be written, so that nobody sees how the command would have ended.
    let isOutputFailure: Bool

    init(_ code: Int32, _ message: String? = nil) {
        self.code = code
        self.message = message
        isOutputFailure = false
    }

    /// The end of a command whose standard output cannot be written; a reader that has gone needs no words.
    init(outputFailure number: Int32) {
        code = number == EPIPE ? Self.brokenPipe : Self.unreachable
        message = number == EPIPE ? nil : "cannot write standard output: \(SystemError.words(number))"
        isOutputFailure = true
    }

    /// The end that an error means; nil for errors of the argument parser, which explains them itself.
    init?(_ error: any Error) {
        switch error {
        case let exit as CommandExit: self = exit
        case let problem as GatewayProblem: self.init(problem.exitCode, problem.description)
        case let fault as ConfigurationError: self.init(Self.unreachable, fault.description)
        case let error as EngineError: self.init(Self.code(of: error.code), Self.text(of: error))
        case is CancellationError: self.init(130)
        case is ExitCode, is CleanExit, is ValidationError: return nil
        default:
            let parserTypes = ["CommandError", "ParserError"]
            if parserTypes.contains("\(type(of: error))") { return nil }
            self.init(Self.unreachable, SystemError.text(error))
        }
    }

    /// An error in words, without what only a programmer can read.
    private static func text(of error: EngineError) -> String {
        // A fault that is the whole message still has to say which field it is about.
        let isFieldOnly = error.faults.contains { !$0.pointer.isEmpty && $0.detail == error.message }
        var text = isFieldOnly ? "the request is refused" : error.message
        for fault in error.faults where isFieldOnly || fault.detail != error.message {
            text += "\n  \(fault.pointer.isEmpty ? "request" : fault.pointer): \(fault.detail)"
        }
        if let cause = error.cause as? EngineError {
            text += " (\(cause.message))"
        } else if let cause = error.cause, SystemError.number(cause) != nil || cause is CocoaError {
            text += " (\(SystemError.reason(cause)))"
        }
        return text
    }

    private static func code(of code: EngineError.Code) -> Int32 {
        switch code {
        case .invalidRequest, .limitExceeded, .notAllowed, .notSupported, .payloadTooLarge: usage
        case .notFound, .alreadyTerminal, .alreadyStarted, .notFinished, .jobFailed, .keyReused, .artifactCorrupt,
            .dependency,
            .cancelled, .alreadyExists, .tenantBusy:
            failed
        case .keyInFlight, .queueFull, .rateExceeded, .unavailable, .draining, .storageFull, .storage, .configuration,
            .containerEngineUnavailable, .containerEngineError, .imageNotFound, .startFailed, .protocolViolation,
            .lost, .timeout, .internalFault:
            unreachable
        }
    }
}
