import HTTPTypes
import NIOCore

/// Counts and times the bytes that come before a header is complete, which the HTTP decoder does not bound by itself.
final class HeaderWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limitBytes: Int
    private let timeout: Duration
    private let refuse: (HTTPResponse.Status) -> Void
    private var awaitsHeader = true
    private var pendingBytes = 0
    /// Whether the request line is complete.
    private(set) var hasLine = false
    private var timer: Scheduled<Void>?

    init(limitBytes: Int, timeout: Duration, refuse: @escaping (HTTPResponse.Status) -> Void) {
        self.limitBytes = limitBytes
        self.timeout = timeout
        self.refuse = refuse
    }

    /// The decoder has handed out a header.
    func headerHasCome() {
        awaitsHeader = false
        timer?.cancel()
        timer = nil
    }

    /// The decoder has handed out the end of a request; the next header may follow.
    func requestHasEnded() {
        awaitsHeader = true
        pendingBytes = 0
        hasLine = false
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if awaitsHeader {
            let bytes = unwrapInboundIn(data).readableBytesView
            pendingBytes += bytes.count
            hasLine = hasLine || bytes.contains(UInt8(ascii: "\n"))
            if timer == nil { startTimer(context) }
        }
        context.fireChannelRead(data)
        guard awaitsHeader, pendingBytes > limitBytes else { return }
        refuse(hasLine ? .requestHeaderFieldsTooLarge : .uriTooLong)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    private func startTimer(_ context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) { [weak self] in
            guard let self, self.awaitsHeader else { return }
            self.refuse(.requestTimeout)
        }
    }
}

@available(*, unavailable)
extension HeaderWatch: Sendable {}
