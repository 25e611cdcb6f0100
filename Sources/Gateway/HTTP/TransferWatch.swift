import NIOCore
import SlipwayCore

/// A body did not go on in time.
struct BodyStalled: Error {}

/// Told to a connection: the body that it reads is slower on average than one may be that holds room.
struct BodyTooSlow: Sendable {}

/// Times the body of a request on its way in, and answers on their way out; confined to the connection's loop.
///
/// Only the client's own pauses count: while the gateway does not read, because it has no room for more, the clock of a
/// body stands still. Nothing is timed that is whole when it is first looked at, as small bodies are.
final class TransferWatch {
    private let timeout: TimeAmount
    private let sendTimeout: TimeAmount
    private let stalled: () -> Void
    private let stuck: () -> Void
    /// Whether the header of a request has come and its end has not.
    private var isInBody = false
    /// Since when bytes are asked for that have not come.
    private var readingSince: NIODeadline?
    private var bodyTimer: Scheduled<Void>?
    private var sendTimer: Scheduled<Void>?

    /// - Parameters:
    ///   - stalled: Called when a body has not gone on in time.
    ///   - stuck: Called when the client has taken nothing of what is sent in time.
    init(
        timeout: Duration, sendTimeout: Duration, stalled: @escaping () -> Void, stuck: @escaping () -> Void
    ) {
        self.timeout = TimeAmount(timeout)
        self.sendTimeout = TimeAmount(sendTimeout)
        self.stalled = stalled
        self.stuck = stuck
    }

    /// A header has come.
    func headerHasCome() { isInBody = true }

    /// A request is whole.
    func requestHasEnded() {
        isInBody = false
        bodyTimer?.cancel()
        bodyTimer = nil
    }

    /// More bytes are asked for.
    func willRead(on loop: any EventLoop) {
        readingSince = .now()
        if isInBody, bodyTimer == nil { startBodyTimer(in: timeout, on: loop) }
    }

    /// The body is slower on average than it may be, which counts only while the gateway waits for more of it.
    func bodyIsTooSlow() {
        if isInBody, readingSince != nil { stalled() }
    }

    /// What had come is read.
    func hasRead() { readingSince = nil }

    /// Whether the client takes what is sent, so that more can be.
    func isWritable(_ isWritable: Bool, on loop: any EventLoop) {
        sendTimer?.cancel()
        sendTimer = nil
        guard !isWritable else { return }
        sendTimer = loop.assumeIsolated().scheduleTask(in: sendTimeout) { [weak self] in self?.stuck() }
    }

    /// Stops all clocks.
    func end() {
        requestHasEnded()
        sendTimer?.cancel()
        sendTimer = nil
    }

    private func startBodyTimer(in time: TimeAmount, on loop: any EventLoop) {
        bodyTimer = loop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            guard let self, self.isInBody else { return }
            self.bodyTimer = nil
            // Nothing is asked for at present: the clock goes on with the next read.
            guard let since = self.readingSince else { return }
            let rest = since + self.timeout - .now()
            if rest <= .zero { return self.stalled() }
            self.startBodyTimer(in: rest, on: loop)
        }
    }
}

@available(*, unavailable)
extension TransferWatch: Sendable {}
