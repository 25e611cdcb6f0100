import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import Synchronization

/// The room that the result of one answer takes among those on their way to clients.
final class ResultRoom: Sendable {
    /// Up to this size a result goes out without asking for room: connections are limited in number.
    static let smallBytes = 64 << 10

    private let routes: GatewayRoutes
    private let call: Call
    private let share = Mutex<ByteBudget.Share?>(nil)

    init(_ routes: GatewayRoutes, _ call: Call) {
        self.routes = routes
        self.call = call
    }

    /// Whoever asked, for the engine.
    var caller: Caller {
        Caller(departure: call.departure) { [self] bytes in
            guard bytes > Self.smallBytes, share.withLock({ $0 == nil }) else { return }
            let taken = await routes.results.take(
                bytes, tenant: call.principal.tenant, upTo: routes.options.roomTimeout, on: call.channel.eventLoop,
                departure: call.departure)
            guard let taken else { throw Problem.noRoom("results", setting: "gateway.results_in_flight_max") }
            share.withLock { $0 = taken }
        }
    }

    /// Makes room for an outcome that was in memory when its job ended.
    ///
    /// When there is none at once, its bytes are let go and read again when there is; without them, where what is stored
    /// is damaged.
    func fit(_ outcome: consuming JobOutcome) async throws -> JobOutcome {
        let bytes = outcome.resultBytes
        guard bytes > Self.smallBytes, share.withLock({ $0 == nil }) else { return outcome }
        if let taken = routes.results.takeAtOnce(bytes, tenant: call.principal.tenant) {
            share.withLock { $0 = taken }
            return outcome
        }
        let job = outcome.job
        outcome = JobOutcome(job: job, result: nil)
        do {
            return try await routes.service.result(of: job.id, tenant: job.tenant, for: caller)
        } catch let error as EngineError where error.code == .artifactCorrupt {
            release()
            return JobOutcome(job: job, result: nil)
        }
    }

    /// Whether there is a share to hold until the answer is sent.
    var isTaken: Bool { share.withLock { $0 != nil } }

    /// Watches over the rate of the answer from now on, and closes the connection when it is too slow.
    func watch() -> RateWatch {
        RateWatch(routes.options.leastRate, on: call.channel.eventLoop) { [channel = call.channel] in
            channel.close(promise: nil)
        }
    }

    /// Gives the room back.
    func release() { share.withLock { $0.take() }?.release() }
}

extension JobOutcome {
    /// The bytes of the result, as it is and as it rests.
    var resultBytes: Int { (result?.bytes.count ?? 0) + (packedText?.count ?? 0) }
}

extension Response {
    /// What is written at a time of an answer that takes room: a client that stops reading holds up the rest.
    private static let pieceBytes = 64 << 10

    /// An answer whose room is free again when its last bytes have left for the client, or when that one is too slow.
    static func paced(
        _ bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields, room: ResultRoom?
    ) -> Response {
        guard let room, room.isTaken else {
            return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        let body = ResponseBody(contentLength: bytes.count) { writer in
            let watch = room.watch()
            defer {
                watch.end()
                room.release()
            }
            var start = 0
            while start < bytes.count {
                // Copies, so that what the client has still to take does not keep the whole alive.
                let end = min(start + Self.pieceBytes, bytes.count)
                try await writer.write(ByteBuffer(bytes: bytes[start..<end]))
                watch.moved(end - start)
                start = end
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
    }
}
