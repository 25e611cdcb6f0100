import Glibc

/// A failed system call on a file, kept as the cause of an `EngineError`.
struct FileError: Error, CustomStringConvertible {
    /// What was being done.
    let action: String
    /// The `errno` of the call.
    let code: Int32

    /// Takes the current `errno`.
    init(doing action: String) {
        code = errno
        self.action = action
    }

    var description: String { String(cString: strerror(code)) }

    /// The error to report: a full disk or quota is named as such.
    var error: EngineError {
        switch code {
        case ENOSPC, EDQUOT:
            EngineError(
                .storageFull, "The disk of the data folder is full: cannot \(action); make room and try again.",
                cause: self)
        case ELOOP:
            EngineError(
                .storage, "Cannot \(action): a symbolic link lies where none may be; remove it.", cause: self)
        default: EngineError(.storage, "Cannot \(action): \(description).", cause: self)
        }
    }
}
