/// The host's end of the channel to one supervisor, whatever carries it.
///
/// Everything happens on the engine's loop. After a loss the supervisor is connected again by itself; its HELLO says so.
package protocol SupervisorLink: AnyObject {
    /// Whether commands can be sent.
    var isConnected: Bool { get }

    /// Gets ready for the supervisor, before the sandbox starts.
    func listen(isolation: isolated (any Actor)?) async throws

    /// Says that the sandbox runs and which process its supervisor is.
    func expect(peer: Int32)

    /// Takes the stream on which a new sandbox was started; links that are dialled get none.
    func adopt(_ stream: any SandboxStream)

    /// Sends commands in one write, or none: false when no supervisor is connected, or one has too long a header.
    @discardableResult
    func send(_ commands: RunnerCommand...) -> Bool

    /// Stops reading what the supervisor sends, or goes on: it waits while the host is behind.
    func setReading(_ isReading: Bool)

    /// Ends the channel for good.
    func close()
}

extension SupervisorLink {
    package func adopt(_ stream: any SandboxStream) {
        // The supervisor dials by itself: the runtime had no reason to open a stream.
        stream.close()
    }
}

/// What a link tells its owner.
package enum LinkEvent: Sendable {
    case message(RunnerMessage)
    /// The connection ended; the supervisor may be connected again.
    case disconnected
    /// The other side broke the protocol.
    case violation(String)
}
