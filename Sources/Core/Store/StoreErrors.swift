import Foundation
import GRDB

/// Translates the errors of SQLite into those of the engine.
struct StoreErrors: Sendable {
    /// Tells how many bytes the file system has left.
    let freeBytes: @Sendable () -> Int?

    private static let tightBytes = 1024 * 1024

    /// The error to report; an `EngineError` stays as it is.
    func translate(_ error: any Error) -> EngineError {
        if let error = error as? EngineError { return error }
        guard let error = error as? DatabaseError else {
            return EngineError(.storage, "The job store could not be used.", cause: error)
        }
        switch error.resultCode {
        case .SQLITE_FULL: return full(error)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return EngineError(
                .unavailable, "Another process holds the job store; try again.", retryAfterSeconds: 1, cause: error)
        case .SQLITE_IOERR, .SQLITE_CANTOPEN:
            // A full disk shows as an I/O error where SQLite grows its shared memory or synchronises.
            if let free = freeBytes(), free < Self.tightBytes { return full(error) }
            return EngineError(.storage, "The job store cannot be read or written; look at its disk.", cause: error)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return EngineError(.storage, "The job store is damaged; restore it from a backup.", cause: error)
        case .SQLITE_READONLY:
            return EngineError(.storage, "The job store cannot be written; look at its permissions.", cause: error)
        case .SQLITE_CONSTRAINT:
            return EngineError(.internalFault, "The job store refused a row that it has already.", cause: error)
        default: return EngineError(.storage, "The job store could not be used.", cause: error)
        }
    }

    private func full(_ cause: any Error) -> EngineError {
        EngineError(.storageFull, "The disk of the data folder is full; make room and try again.", cause: cause)
    }
}
