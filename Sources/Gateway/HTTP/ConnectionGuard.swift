import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import SlipwayCore

/// Watches over one connection: what never becomes a request is answered here, and the connection closed.
///
/// It bounds the bytes and the time that a header may take and the pauses of bodies and of readers, answers broken
/// framing with a problem document, tells clients that ask for it to go on with their body, and says when one has gone.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let options: GatewayOptions
    private let connections: Connections
    private var departure: Departure?
    private var watch: HeaderWatch?
    private var transfer: TransferWatch?
    /// Requests whose header has come and whose answer has not ended.
    private var open = 0
    /// Whether nothing more is written, for the connection ends.
    private var hasRefused = false

    init(options: GatewayOptions, connections: Connections) {
        self.options = options
        self.connections = connections
    }

    func handlerAdded(context: ChannelHandlerContext) {
        departure = connections.add(context.channel)
        transfer = TransferWatch(
            timeout: options.bodyTimeout, sendTimeout: options.sendTimeout,
            stalled: { context.fireErrorCaught(BodyStalled()) }, stuck: { context.close(promise: nil) })
        let watch = HeaderWatch(
            limitBytes: options.requestLineMaxBytes + options.headerBytesMax, timeout: options.headerTimeout
        ) { [weak self] status in self?.refuse(status, context: context) }
        self.watch = watch
        do {
            try context.pipeline.syncOperations.addHandler(watch, position: .first)
        } catch {
            // Without its watch the connection would have no limits.
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        connections.remove(context.channel)
        departure?.happen()
        transfer?.end()
        transfer = nil
        watch = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        departure?.happen()
        transfer?.end()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard !(event is BodyTooSlow) else {
            transfer?.bodyIsTooSlow()
            return
        }
        // A client that sends nothing more is taken for one that has gone: nothing else tells before the next write.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { departure?.happen() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        transfer?.hasRead()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        transfer?.willRead(on: context.eventLoop)
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        transfer?.isWritable(context.channel.isWritable, on: context.eventLoop)
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            open += 1
            watch?.headerHasCome()
            transfer?.headerHasCome()
            if expectsContinue(head) {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
            }
        case .body: break
        case .end:
            watch?.requestHasEnded()
            transfer?.requestHasEnded()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        // The server's own answer to broken framing says nothing; all others have the number of their request.
        if case .head(let head) = part, head.status == .badRequest, head.headerFields[.requestID] == nil {
            // A request that was answered before its body broke off gets no second answer.
            if open > 0 { refuse(.badRequest, context: context) } else { end(context) }
        }
        guard !hasRefused else {
            promise?.succeed(())
            return
        }
        if case .end = part { open -= 1 }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Within a request its handler has to learn that the body is not whole; the server answers then.
        guard open == 0, let error = error as? HTTPParserError else { return context.fireErrorCaught(error) }
        switch error {
        case .headerOverflow:
            refuse(watch?.hasLine == false ? .uriTooLong : .requestHeaderFieldsTooLarge, context: context)
        default: refuse(.badRequest, context: context)
        }
    }

    /// A body that will be refused for its size is not asked for.
    private func expectsContinue(_ head: HTTPRequest) -> Bool {
        guard let name = HTTPField.Name("Expect"), head.headerFields[name]?.lowercased() == "100-continue" else {
            return false
        }
        return (head.headerFields[.contentLength].flatMap { Int($0) } ?? 0) <= options.bodyMaxBytes
    }

    private func refuse(_ status: HTTPResponse.Status, context: ChannelHandlerContext) {
        guard !hasRefused, context.channel.isActive else { return }
        let (slug, detail) =
            switch status {
            case .requestHeaderFieldsTooLarge: ("headers-too-large", "The headers are larger than is allowed.")
            case .uriTooLong: ("uri-too-long", "The request line is longer than is allowed.")
            case .requestTimeout: ("request-timeout", "The headers did not come in time.")
            default: ("bad-request", "The bytes are no HTTP request.")
            }
        let requestID = RequestID().description
        let body = Problem(status, slug, detail).body(instance: "", requestID: requestID)
        let headers: HTTPFields = [
            .contentType: "application/problem+json", .contentLength: "\(body.count)", .connection: "close",
            .requestID: requestID, .cacheControl: "no-store", .contentTypeOptions: "nosniff",
        ]
        context.write(wrapOutboundOut(.head(HTTPResponse(status: status, headerFields: headers))), promise: nil)
        context.write(wrapOutboundOut(.body(ByteBuffer(bytes: body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        end(context)
    }

    /// Lets nothing more be written, and closes the connection when the client has had a moment to read.
    private func end(_ context: ChannelHandlerContext) {
        hasRefused = true
        // Closing at once, with bytes unread, would reset the connection and could destroy the answer on its way.
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}
