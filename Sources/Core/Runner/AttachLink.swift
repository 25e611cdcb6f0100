import Logging
import NIOCore

/// The host's end of the channel to a supervisor whose standard input and output it attaches to.
///
/// Each connection is a session of its own: the supervisor answers the record that opens it with HELLO, and what either
/// side wrote for an earlier session is passed over. A connection that ends is made again until the link is closed.
/// Everything happens on the engine's loop, but for the reading and writing tasks, which hop to it.
package final class AttachLink: SupervisorLink {
    /// How long a lost connection waits before it is made again.
    private static let firstBackoff = TimeAmount.milliseconds(50)
    private static let lastBackoff = TimeAmount.seconds(1)

    /// One connection.
    private final class Session {
        let name = AttachRecord.makeSession()
        let stream: any SandboxStream
        let outgoing: AsyncStream<[UInt8]>.Continuation
        var reader: AttachRecordReader
        var tasks: [Task<Void, Never>] = []
        /// Whether the supervisor has answered.
        var isAnswered = false
        var budget = FrameBudget()
        /// How long the supervisor is not read, for it has sent more than its share.
        var rest: TimeAmount?

        init(_ stream: any SandboxStream, outgoing: AsyncStream<[UInt8]>.Continuation) {
            self.stream = stream
            self.outgoing = outgoing
            reader = AttachRecordReader(session: name)
        }

        func end() {
            outgoing.finish()
            stream.close()
            for task in tasks { task.cancel() }
        }
    }

    /// What the reader of a session waits for before it reads on.
    private struct Wait: Sendable {
        var pause: EventLoopFuture<Void>?
        var rest: TimeAmount?
    }

    private let loop: any EventLoop
    private let logger: Logger
    private let signPeriod: TimeAmount
    private let connect: @Sendable () async throws -> any SandboxStream
    private let handler: (LinkEvent) -> Void
    private var session: Session?
    private var dialling: Task<Void, Never>?
    private var backoff = firstBackoff
    private var signs: RepeatedTask?
    private var isClosed = false
    /// Kept while the supervisor is not to be read.
    private var pause: EventLoopPromise<Void>?

    /// Makes a link that is not connected yet.
    ///
    /// - Parameters:
    ///   - signSeconds: How often the supervisor is told that the host is there; it ends itself without it.
    ///   - connect: Attaches to the sandbox.
    ///   - handler: Gets every event, on the loop.
    package init(
        loop: any EventLoop, logger: Logger, signSeconds: Double,
        connect: @escaping @Sendable () async throws -> any SandboxStream, handler: @escaping (LinkEvent) -> Void
    ) {
        self.loop = loop
        self.logger = logger
        signPeriod = .nanoseconds(Int64(max(0.1, signSeconds) * 1e9))
        self.connect = connect
        self.handler = handler
    }

    package var isConnected: Bool { session?.isAnswered ?? false }

    package func listen(isolation: isolated (any Actor)? = #isolation) async throws {}

    /// Attaches to a sandbox that runs already, unless it was started on a stream of ours.
    package func expect(peer: Int32) {
        loop.preconditionInEventLoop()
        if session == nil, !isClosed { dial() }
    }

    package func adopt(_ stream: any SandboxStream) {
        loop.preconditionInEventLoop()
        guard !isClosed else { return stream.close() }
        session?.end()
        setReading(true)
        let (outgoing, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let session = Session(stream, outgoing: continuation)
        self.session = session
        let bound = NIOLoopBound((link: self, session: session), eventLoop: loop)
        // Both end with the session, whoever ends it.
        session.tasks = [
            Task { [loop] in
                do {
                    try await stream.read { bytes in
                        let wait = try await loop.submit { () -> Wait in
                            let (link, session) = bound.value
                            link.received(bytes, in: session)
                            defer { session.rest = nil }
                            return Wait(pause: link.pause?.futureResult, rest: session.rest)
                        }.get()
                        // Nothing more is asked of the stream before this returns.
                        try await wait.pause?.get()
                        if let rest = wait.rest { try await Task.sleep(for: .nanoseconds(rest.nanoseconds)) }
                    }
                } catch {
                    // However the stream ended, it is opened again.
                }
                loop.execute { bound.value.link.ended(bound.value.session) }
            },
            Task { [loop] in
                do {
                    for await bytes in outgoing { try await stream.write(bytes) }
                } catch {
                    loop.execute { bound.value.link.ended(bound.value.session) }
                }
            },
        ]
        continuation.yield(AttachRecord.opening(session.name))
        if signs == nil { keepSigning() }
    }

    @discardableResult
    package func send(_ commands: RunnerCommand...) -> Bool {
        loop.preconditionInEventLoop()
        guard let session, session.isAnswered else { return false }
        var frames = ByteBuffer()
        for command in commands { guard command.write(into: &frames) else { return false } }
        session.outgoing.yield(AttachRecord.records(of: frames, session: session.name))
        return true
    }

    package func setReading(_ isReading: Bool) {
        loop.preconditionInEventLoop()
        guard isReading == (pause != nil), !isClosed else { return }
        pause?.succeed()
        pause = isReading ? nil : loop.makePromise()
    }

    package func close() {
        loop.preconditionInEventLoop()
        isClosed = true
        pause?.succeed()
        pause = nil
        signs?.cancel()
        dialling?.cancel()
        session?.end()
        session = nil
    }

    private func keepSigning() {
        let bound = NIOLoopBound(self, eventLoop: loop)
        signs = loop.scheduleRepeatedTask(initialDelay: signPeriod, delay: signPeriod) { _ in
            guard let session = bound.value.session else { return }
            session.outgoing.yield(AttachRecord.sign(of: session.name))
        }
    }

    private func dial() {
        guard dialling == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        dialling = Task { [loop, connect] in
            do {
                let stream = try await connect()
                loop.execute { bound.value.dialled(stream) }
            } catch {
                loop.execute { bound.value.missed(error) }
            }
        }
    }

    private func dialled(_ stream: any SandboxStream) {
        dialling = nil
        guard !isClosed else { return stream.close() }
        adopt(stream)
    }

    private func missed(_ error: any Error) {
        dialling = nil
        guard !isClosed else { return }
        logger.debug("a sandbox could not be attached to", metadata: ["reason": "\(error)"])
        redial()
    }

    private func redial() {
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: backoff) {
            guard !bound.value.isClosed, bound.value.session == nil else { return }
            bound.value.dial()
        }
        backoff = min(backoff * 2, Self.lastBackoff)
    }

    private func received(_ bytes: [UInt8], in session: Session) {
        guard session === self.session else { return }
        do {
            try session.reader.feed(bytes) { content in
                guard session === self.session else { return }
                var content = content
                if let rest = session.budget.spend(bytes: content.readableBytes) { session.rest = rest }
                guard let frame = try Frame.read(from: &content), content.readableBytes == 0 else {
                    throw Frame.Violation.header("a record is not one frame")
                }
                let message = try RunnerMessage(frame)
                if case .hello = message, session.isAnswered {
                    throw Frame.Violation.header("HELLO a second time in one session")
                }
                session.isAnswered = true
                backoff = Self.firstBackoff
                handler(.message(message))
            }
        } catch {
            guard session === self.session else { return }
            self.session = nil
            session.end()
            handler(.violation("\(error)"))
        }
    }

    private func ended(_ session: Session) {
        guard session === self.session else { return }
        self.session = nil
        session.end()
        guard !isClosed else { return }
        if session.isAnswered { handler(.disconnected) }
        redial()
    }
}
