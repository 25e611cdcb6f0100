/// A supervisor's standard input and output, as a client of the container engine has them.
///
/// When it goes the sandbox runs on; what the supervisor says meanwhile is lost to everybody.
package protocol SandboxStream: AnyObject, Sendable {
    /// Hands on what the supervisor writes, piece by piece, until the stream ends.
    ///
    /// The next piece is read when the one before was taken, so that a slow reader holds the supervisor back.
    func read(_ take: @Sendable ([UInt8]) async throws -> Void) async throws

    /// Sends bytes to the supervisor; returns when they are buffered within limits.
    func write(_ bytes: [UInt8]) async throws

    /// Ends the stream; a reader that waits gets an error.
    func close()
}

/// What carries the frames between the engine and the supervisors of a runtime.
package enum SupervisorTransport: String, Sendable {
    /// Supervisors dial a unix socket in a folder of the host.
    case unix
    /// The engine attaches to the supervisor's standard input and output.
    case attach
}
