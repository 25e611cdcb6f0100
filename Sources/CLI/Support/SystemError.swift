import Foundation
import NIOCore

/// What the operating system says about a call that failed, whoever made it.
enum SystemError {
    /// The system's number of an error; nil for errors of another kind.
    static func number(_ error: any Error) -> Int32? {
        switch error {
        case let error as IOError:
            return error.errnoCode
        case let error as POSIXError:
            return error.code.rawValue
        case let error as CocoaError:
            return error.underlying.flatMap { number($0) }
        default:
            let error = error as NSError
            return error.domain == NSPOSIXErrorDomain ? Int32(truncatingIfNeeded: error.code) : nil
        }
    }

    /// The words for a number, such as `No such file or directory`.
    static func words(_ number: Int32) -> String { String(cString: strerror(number)) }

    /// The reason in words, without the file that it is about.
    static func reason(_ error: any Error) -> String {
        number(error).map(words) ?? (error as NSError).localizedDescription
    }

    /// The error in words: `PATH: reason` where the file is known.
    static func text(_ error: any Error) -> String {
        guard let path = (error as? CocoaError)?.filePath else { return reason(error) }
        return "\(path): \(reason(error))"
    }
}
