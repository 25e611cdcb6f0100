import Logging
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// The host's end of the channel to one supervisor.
///
/// It listens on the sandbox's own socket and accepts exactly the peer whose process id is the supervisor's. After
/// a loss the supervisor dials again and is accepted again. Everything happens on the engine's loop.
package final class SandboxLink: SupervisorLink {
    /// Connections that wait for the supervisor's process id to be known.
    private static let pendingLimit = 4

    /// Connections of others after which the sandbox is given up.
    private static let refusalLimit = 64

    /// The socket's path.
    package let path: String
    private let loop: any EventLoop
    private let logger: Logger
    private let handler: (LinkEvent) -> Void
    private var listener: (any Channel)?
    private var peer: Int32?
    private var pending: [(channel: any Channel, peer: Int32)] = []
    private var channel: (any Channel)?
    private var isClosed = false
    private var refusals = 0
    /// Whether the present connection has sent its HELLO.
    private var hasGreeted = false
    /// Whether the engine wants nothing read now, and whether the supervisor has sent more than its share.
    private var isHeld = false
    private var isResting = false
    /// Whether a write is under way.
    ///
    /// One that fails reads the supervisor's last words before it returns, and who sends must not find the engine
    /// changed by them.
    private var isSending = false
    /// What came meanwhile and everything after it, for the loop's next turn.
    private var late: [LinkEvent] = []

    /// Makes a link; call `listen` next.
    ///
    /// - Parameter handler: Gets every event, on the loop.
    package init(path: String, loop: any EventLoop, logger: Logger, handler: @escaping (LinkEvent) -> Void) {
        self.path = path
        self.loop = loop
        self.logger = logger
        self.handler = handler
    }

    /// Whether a supervisor is connected.
    package var isConnected: Bool { channel != nil }

    /// Binds the socket; a stale one in its place is removed.
    package func listen(isolation: isolated (any Actor)? = #isolation) async throws {
        loop.preconditionInEventLoop()
        let bound = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 16)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { bound.value.arrived(channel) }
            }
        do {
            let channel = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            // The supervisor is root without the capability to override permissions, so the socket admits everybody
            // who can reach the folder; the peer check decides.
            guard chmod(path, 0o666) == 0 else {
                throw IOError(errnoCode: errno, reason: "chmod of the sandbox's socket")
            }
            listener = channel
        } catch {
            throw EngineError(
                .startFailed, "cannot listen on the sandbox's socket \(path): \(error)", cause: error)
        }
        if isClosed { close() }
    }

    /// Says which process is the supervisor; connections of other processes are refused.
    package func expect(peer: Int32) {
        loop.preconditionInEventLoop()
        self.peer = peer
        let waiting = pending
        pending = []
        for entry in waiting { admit(entry.channel, from: entry.peer) }
    }

    /// Sends commands in one write, or none: false when no supervisor is connected, or one has too long a header.
    @discardableResult
    package func send(_ commands: RunnerCommand...) -> Bool {
        loop.preconditionInEventLoop()
        guard let channel else { return false }
        var buffer = channel.allocator.buffer(capacity: 1024)
        for command in commands { guard command.write(into: &buffer) else { return false } }
        isSending = true
        channel.writeAndFlush(buffer, promise: nil)
        isSending = false
        return true
    }

    /// Tells the engine of an event, never while it sends.
    private func deliver(_ event: LinkEvent) {
        guard isSending || !late.isEmpty else { return handler(event) }
        late.append(event)
        guard late.count == 1 else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.execute {
            let events = bound.value.late
            bound.value.late = []
            for event in events { bound.value.handler(event) }
        }
    }

    /// Stops reading what the supervisor sends, or goes on: it waits while the host is behind.
    package func setReading(_ isReading: Bool) {
        loop.preconditionInEventLoop()
        isHeld = !isReading
        applyReading()
    }

    private func applyReading() {
        // A channel that is closing takes no options, and sends nothing more either.
        channel?.setOption(.autoRead, value: !isHeld && !isResting).whenFailure { _ in }
    }

    /// Closes the listener and the connection and removes the socket.
    package func close() {
        loop.preconditionInEventLoop()
        isClosed = true
        listener?.close(promise: nil)
        listener = nil
        channel?.close(promise: nil)
        channel = nil
        for entry in pending { entry.channel.close(promise: nil) }
        pending = []
        // The folder goes with the sandbox; a leftover socket there does no harm.
        unlink(path)
    }

    private func arrived(_ channel: any Channel) {
        guard !isClosed, pending.count < Self.pendingLimit, let provider = channel as? any SocketOptionProvider else {
            channel.close(promise: nil)
            return
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let credentials: EventLoopFuture<PeerCredentials> = provider.unsafeGetSocketOption(
            level: .init(rawValue: SOL_SOCKET), name: .init(rawValue: SO_PEERCRED))
        credentials.whenComplete { result in
            switch result {
            case .success(let credentials): bound.value.admit(channel, from: credentials.pid)
            case .failure: channel.close(promise: nil)
            }
        }
    }

    private func admit(_ channel: any Channel, from pid: Int32) {
        guard let peer else {
            pending.append((channel, pid))
            return
        }
        guard pid == peer, !isClosed else {
            refused(pid, expected: peer)
            channel.close(promise: nil)
            return
        }
        self.channel?.close(promise: nil)
        self.channel = channel
        hasGreeted = false
        (isHeld, isResting) = (false, false)
        let decoder = FrameHandler(link: self)
        do {
            try channel.pipeline.syncOperations.addHandler(decoder)
            channel.setOption(.autoRead, value: true).whenFailure { _ in channel.close(promise: nil) }
        } catch {
            channel.close(promise: nil)
        }
    }

    /// Notes a stranger at the socket: a task can reach it, and could fill the log by dialling.
    private func refused(_ pid: Int32, expected: Int32) {
        refusals += 1
        if refusals == 1 {
            logger.warning(
                "refused a connection to a sandbox's socket", metadata: ["peer": "\(pid)", "expected": "\(expected)"])
        }
        if refusals == Self.refusalLimit { deliver(.violation("its socket was dialled \(refusals) times by others")) }
    }

    fileprivate func received(_ frame: Frame, on channel: any Channel) {
        guard channel === self.channel else { return }
        do {
            let message = try RunnerMessage(frame)
            if case .hello = message {
                // A second one would have the engine agree anew on what runs, again and again.
                guard !hasGreeted else { return violated("HELLO a second time on one connection", on: channel) }
                hasGreeted = true
            }
            deliver(.message(message))
        } catch {
            violated("\(error)", on: channel)
        }
    }

    /// Reads nothing from a supervisor that has sent more than its share, or goes on.
    fileprivate func rest(_ isResting: Bool, on channel: any Channel) {
        guard channel === self.channel else { return }
        self.isResting = isResting
        applyReading()
    }

    fileprivate func violated(_ reason: String, on channel: any Channel) {
        guard channel === self.channel else { return }
        self.channel = nil
        channel.close(promise: nil)
        deliver(.violation(reason))
    }

    fileprivate func ended(_ channel: any Channel) {
        guard channel === self.channel else { return }
        self.channel = nil
        deliver(.disconnected)
    }
}

/// What `SO_PEERCRED` gives (unix(7), `struct ucred`).
private struct PeerCredentials: Sendable {
    var pid: Int32
    var uid: UInt32
    var gid: UInt32
}

/// Accumulates bytes and cuts frames without copying bodies.
private final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let link: SandboxLink
    private var buffer: ByteBuffer?
    private var budget = FrameBudget()
    private var isResting = false

    init(link: SandboxLink) { self.link = link }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if buffer == nil {
            buffer = bytes
        } else {
            buffer?.writeBuffer(&bytes)
        }
        if !isResting { cut(context: context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // Its last words, of which no more than one read is left.
        if isResting { cut(context: context, isLast: true) }
        link.ended(context.channel)
        context.fireChannelInactive()
    }

    /// Leaves the loop to others for a while, with what has come still in the buffer.
    private func rest(for pause: TimeAmount, context: ChannelHandlerContext) {
        isResting = true
        link.rest(true, on: context.channel)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: pause) {
            let (handler, context) = bound.value
            // Closed meanwhile, and all of it read.
            guard handler.isResting, context.channel.isActive else { return }
            handler.isResting = false
            handler.cut(context: context)
            if !handler.isResting { handler.link.rest(false, on: context.channel) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func cut(context: ChannelHandlerContext, isLast: Bool = false) {
        var frames = 0
        while var current = buffer {
            buffer = nil
            do {
                let size = current.readableBytes
                guard let frame = try Frame.read(from: &current) else {
                    current.discardReadBytes()
                    buffer = current
                    return
                }
                let bytes = size - current.readableBytes
                buffer = current.readableBytes > 0 ? current : nil
                link.received(frame, on: context.channel)
                guard !isLast else { continue }
                frames += 1
                if let pause = budget.spend(bytes: bytes) { return rest(for: pause, context: context) }
                if frames == FrameBudget.framesPerTurn, buffer != nil { return rest(for: .zero, context: context) }
            } catch {
                link.violated("\(error)", on: context.channel)
                return
            }
        }
    }
}
