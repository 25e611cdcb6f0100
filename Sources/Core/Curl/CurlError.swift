/// Why a transfer did not end well.
///
/// The kinds are what callers branch on; the message is what a person reads.
package struct CurlError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, as a closed set.
    package enum Kind: String, Sendable {
        /// No connection came about: nobody listens, no permission, no such host.
        case couldNotConnect
        /// One of the request's time limits passed.
        case timedOut
        /// The caller went away or asked to stop.
        case cancelled
        /// The connection ended before the response was whole.
        case connectionLost
        /// The peer's bytes are not HTTP.
        case malformedResponse
        /// The response is larger than the caller allowed.
        case responseTooLarge
        /// The TLS handshake, a certificate or a key file failed.
        case tls
        /// Too many requests already wait.
        case queueFull
        /// The transport was shut down.
        case closed
        /// libcurl was used wrongly or ran out of memory.
        case internalFault
    }

    package let kind: Kind
    package let message: String
    /// The operating system's error number of a failed connect, or zero.
    package let systemError: Int32

    package init(_ kind: Kind, _ message: String, systemError: Int32 = 0) {
        self.kind = kind
        self.message = message
        self.systemError = systemError
    }

    package var description: String { message }

    static let cancelled = CurlError(.cancelled, "the request was cancelled")
    static let closed = CurlError(.closed, "the HTTP transport was shut down")

    /// Whether libcurl's words about a broken connection are those of a peer that refused it: in TLS 1.3 a client's
    /// certificate is judged after the handshake, when the first bytes are read.
    static func tellsOfTLS(_ words: String) -> Bool { words.contains("SSL") && words.contains("alert") }
}
