/// The result of a completed job.
public struct JobResult: Sendable {
    /// What the bytes are.
    public enum Media: String, Sendable, Codable {
        /// One JSON value.
        case json = "application/json"
        /// A Python pickle; only the caller's own client unpickles it.
        case pickle = "application/vnd.python.pickle"
        /// Nothing but an exit code; the output is in the logs.
        case text = "text/plain"
        /// Bytes of a Swift handler.
        case bytes = "application/octet-stream"
    }

    /// What the bytes are.
    public let media: Media
    /// The plain bytes, inflated.
    public let bytes: [UInt8]
    /// The exit code of a command.
    public let exitCode: Int?

    package init(media: Media, bytes: [UInt8], exitCode: Int? = nil) {
        self.media = media
        self.bytes = bytes
        self.exitCode = exitCode
    }
}
