import Logging
import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Connects one sandbox to named ports of the host, and to nothing else.
///
/// It listens on a socket in the sandbox's own folder and takes connections of the sandbox's supervisor only, which it
/// knows by its process id. Each connection begins with two bytes, the number of the port; the answer is one byte, 0
/// when the port was reached. What follows is carried to 127.0.0.1 and back, as fast as the slower side reads. It runs
/// on threads of its own: a large answer of a model server delays no job.
package final class HostRelay: Sendable {
    private struct State {
        var peer: Int32?
        var listener: (any Channel)?
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
        var refusals = 0
    }

    fileprivate static let connectLimit = TimeAmount.seconds(5)
    fileprivate static let chunkBytes = 65_536

    private let path: String
    private let ports: [Int: String]
    private let limit: Int
    private let logger: Logger
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    /// Makes a relay; call `listen` next.
    package init(
        path: String, ports: [Configuration.Network.HostPort], limit: Int, logger: Logger,
        group: any EventLoopGroup = NIOSingletons.posixEventLoopGroup
    ) {
        self.path = path
        self.ports = Dictionary(ports.map { ($0.port, $0.name) }, uniquingKeysWith: { first, _ in first })
        self.limit = limit
        self.logger = logger
        self.group = group
    }

    /// Binds the socket; a stale one in its place is removed.
    package func listen() async throws {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.chunkBytes))
            .childChannelInitializer { [self] channel in arrived(channel) }
        do {
            let channel = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            // As with the sandbox's other socket: everybody may dial, the check of the peer decides.
            guard chmod(path, 0o666) == 0 else {
                throw IOError(errnoCode: errno, reason: "chmod of the sandbox's relay socket")
            }
            let isLate = state.withLock { state in
                if !state.isClosed { state.listener = channel }
                return state.isClosed
            }
            if isLate { channel.close(promise: nil) }
        } catch {
            throw EngineError(.startFailed, "cannot listen on the sandbox's socket \(path): \(error)", cause: error)
        }
    }

    /// Says which process is the supervisor; until then, and from others, no connection is taken.
    package func expect(peer: Int32) { state.withLock { $0.peer = peer } }

    /// Closes the listener and cuts every connection.
    package func close() {
        let open = state.withLock { state -> [any Channel] in
            state.isClosed = true
            defer { (state.listener, state.channels) = (nil, [:]) }
            return state.channels.values + [state.listener].compactMap { $0 }
        }
        for channel in open { channel.close(promise: nil) }
        // The folder goes with the sandbox; a leftover socket there does no harm.
        unlink(path)
    }

    /// Connections that are open, for tests.
    package var connectionCount: Int { state.withLock { $0.channels.count } }

    private func arrived(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.close()
        }
        let credentials: EventLoopFuture<RelayPeer> = provider.unsafeGetSocketOption(
            level: .init(rawValue: SOL_SOCKET), name: .init(rawValue: SO_PEERCRED))
        return credentials.flatMap { [self] credentials in
            guard admit(channel, from: credentials.pid) else { return channel.close() }
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(RelayOpening(relay: self))
            }
        }
    }

    private func admit(_ channel: any Channel, from pid: Int32) -> Bool {
        let id = ObjectIdentifier(channel)
        let isFirstStranger = state.withLock { state -> Bool? in
            guard !state.isClosed, state.channels.count < limit, let peer = state.peer else { return false }
            guard pid == peer else {
                state.refusals += 1
                return state.refusals == 1
            }
            state.channels[id] = channel
            return nil
        }
        guard let isFirstStranger else {
            channel.closeFuture.whenComplete { [self] _ in state.withLock { $0.channels[id] = nil } }
            return true
        }
        if isFirstStranger {
            logger.warning("refused a connection to a sandbox's relay socket", metadata: ["peer": "\(pid)"])
        }
        return false
    }

    /// Connects to a port of the host; fails for one that is not configured.
    fileprivate func connect(to port: Int, on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        guard let name = ports[port] else {
            logger.warning("a sandbox asked for a port of the host that is not configured")
            return loop.makeFailedFuture(EngineError(.notAllowed, "port \(port) is not in network.host_ports"))
        }
        let connection = ClientBootstrap(group: loop)
            .connectTimeout(Self.connectLimit)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.chunkBytes))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: "127.0.0.1", port: port)
        connection.whenFailure { [logger] error in
            logger.debug(
                "a port of the host cannot be reached",
                metadata: ["port": "\(port)", "name": "\(name)", "reason": "\(error)"])
        }
        return connection
    }
}

/// What `SO_PEERCRED` gives (unix(7), `struct ucred`).
private struct RelayPeer: Sendable {
    var pid: Int32
    var uid: UInt32
    var gid: UInt32
}

/// Reads the number of the port, connects, and hands over to two pumps.
private final class RelayOpening: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let relay: HostRelay
    private var bytes = ByteBuffer()
    private var isConnecting = false

    init(relay: HostRelay) { self.relay = relay }

    func channelActive(context: ChannelHandlerContext) { context.read() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var more = unwrapInboundIn(data)
        bytes.writeBuffer(&more)
        guard let port: UInt16 = bytes.readInteger() else { return context.read() }
        isConnecting = true
        let near = context.channel
        let opening = NIOLoopBound(self, eventLoop: context.eventLoop)
        relay.connect(to: Int(port), on: context.eventLoop).whenComplete { result in
            switch result {
            case .success(let far): opening.value.join(near, far)
            case .failure:
                near.writeAndFlush(ByteBuffer(bytes: [1])).whenComplete { _ in near.close(promise: nil) }
            }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The supervisor ends its direction only after the answer.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent, !isConnecting { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func join(_ near: any Channel, _ far: any Channel) {
        guard near.isActive else { return far.close(promise: nil) }
        do {
            let (there, back) = (RelayPump(to: far), RelayPump(to: near))
            (there.opposite, back.opposite) = (back, there)
            try near.pipeline.syncOperations.addHandler(there)
            try far.pipeline.syncOperations.addHandler(back)
            near.pipeline.syncOperations.removeHandler(self, promise: nil)
            near.writeAndFlush(ByteBuffer(bytes: [0]), promise: nil)
            if bytes.readableBytes > 0 {
                there.carry(bytes, from: near)
            } else {
                near.read()
            }
            far.read()
        } catch {
            near.close(promise: nil)
            far.close(promise: nil)
        }
    }
}

/// Carries one direction: reads again when what was read has been written.
private final class RelayPump: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    weak var opposite: RelayPump?
    private let sink: any Channel
    private var isEnded = false

    init(to sink: any Channel) { self.sink = sink }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        carry(unwrapInboundIn(data), from: context.channel)
    }

    func carry(_ bytes: ByteBuffer, from source: any Channel) {
        let sink = sink
        sink.writeAndFlush(bytes).whenComplete { result in
            switch result {
            case .success: source.read()
            case .failure:
                source.close(promise: nil)
                sink.close(promise: nil)
            }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed? = event as? ChannelEvent, !isEnded else { return }
        isEnded = true
        // Nothing is under way in this direction: the next read comes after the write.
        let (source, sink) = (context.channel, sink)
        let isOver = opposite?.isEnded ?? true
        sink.close(mode: .output).whenComplete { _ in
            guard isOver else { return }
            source.close(promise: nil)
            sink.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        // One that broke off cuts the other; where both had ended it is closed already.
        sink.close(promise: nil)
    }
}
