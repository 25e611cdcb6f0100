import Foundation

/// The standard streams of the process.
enum Console {
    /// Writes to standard output.
    ///
    /// - Throws: ``CommandExit`` when it cannot be written, without a message when nobody reads any more.
    static func out(_ bytes: some Collection<UInt8>) throws {
        let number = write(Array(bytes), to: STDOUT_FILENO)
        guard number == 0 else { throw CommandExit(outputFailure: number) }
    }

    /// Writes text to standard output; throws like the other form.
    static func out(_ text: String) throws { try out(text.utf8) }

    /// Writes a line to standard output; throws like the other forms.
    static func line(_ text: some StringProtocol) throws { try out(Array(text.utf8) + [0x0A]) }

    /// Writes JSON and a line end to standard output; throws like the other forms.
    static func json(_ bytes: [UInt8]) throws { try out(bytes.last == 0x0A ? bytes : bytes + [0x0A]) }

    /// Writes to standard error.
    ///
    /// Where nobody reads there is nobody to tell.
    static func error(_ bytes: some Collection<UInt8>) { _ = write(Array(bytes), to: STDERR_FILENO) }

    /// Writes text to standard error.
    static func error(_ text: String) { error(text.utf8) }

    /// Writes a message of ours to standard error, one line or more.
    static func note(_ text: String) { error("slipway: \(text)\n") }

    /// Whether a person looks at standard error.
    static var showsProgress: Bool {
        isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// Whether standard input is a pipe or a file, in which there may be something for a task.
    static var isInputGiven: Bool {
        var status = stat()
        guard fstat(STDIN_FILENO, &status) == 0 else { return false }
        return [S_IFIFO, S_IFREG].contains(status.st_mode & S_IFMT)
    }

    /// Whether a person looks at standard output.
    static var isOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// The system's number of what went wrong; 0 when everything was written.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if count == 0 {
                    return EIO
                } else if errno == EAGAIN {
                    var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&state, 1, 1000)
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
    }
}
