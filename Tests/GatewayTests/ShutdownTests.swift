import Foundation
import Logging
import NIOPosix
import ServiceLifecycle
import SlipwayCore
import SlipwayGateway
import TestSupport
import Testing

/// The end of a gateway.
@Suite("A gateway that ends")
struct ShutdownTests {
    /// Cancels a gateway with an idle connection, and with a request that `body` sends and does not wait for.
    private func cancelled(
        _ options: GatewayOptions = GatewayOptions(),
        _ body: @Sendable (TestGateway) async throws -> HTTPConnection?
    ) async throws -> (lines: KeptLog.Lines, connection: HTTPConnection?) {
        var (options, keys) = (options, StubKeys())
        options.port = 0
        // So long that only what hangs would come to its end, on a busy machine, too.
        options.endTimeout = .seconds(120)
        let key = keys.add(.default)
        let service = StubJobService()
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let lines = KeptLog.Lines()
        let gateway = GatewayService(
            service: service, keys: keys, options: options, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in KeptLog(lines: lines) }
        ) { _, port in continuation.yield(port) }
        let running = Task { try await gateway.run() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let test = TestGateway(port: port, service: service, key: key)
        let idle = try HTTPConnection(port: port)
        #expect(try await idle.exchange(test.request("GET", "/healthz")).status == 200)
        let connection = try await body(test)
        running.cancel()
        try await running.value
        return (lines, connection)
    }

    @Test("says nothing at error level, and does not wait for idle connections")
    func quiet() async throws {
        let (lines, _) = try await cancelled { _ in nil }
        #expect(lines.count > 0, "the log is kept")
        #expect(lines.above(.warning) == [])
    }

    @Test("answers what has begun")
    func answers() async throws {
        let (lines, connection) = try await cancelled { gateway in
            await gateway.service.setReallyWaits()
            let job = Job.sample(state: .running)
            await gateway.service.add(JobOutcome(job: job))
            let connection = try HTTPConnection(port: gateway.port)
            try await connection.write(gateway.request("GET", "/v1/jobs/\(job.id)?wait=1"))
            try await waitUntil("it waits") { await gateway.service.waiting == 1 }
            return connection
        }
        #expect(try await connection?.response().status == 200)
        #expect(lines.above(.warning) == [])
    }

    @Test("ends gracefully when all is drained, and answers until then")
    func drains() async throws {
        var (options, keys) = (GatewayOptions(), StubKeys())
        options.port = 0
        let key = keys.add(.default)
        let service = StubJobService()
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let (begun, begins) = AsyncStream<Void>.makeStream()
        let (drained, ends) = AsyncStream<Void>.makeStream()
        let logger = Logger(label: "test") { _ in KeptLog(lines: .init()) }
        let gateway = GatewayService(
            service: service, keys: keys, options: options, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: logger, onListening: { _, port in listening.yield(port) },
            drain: {
                begins.finish()
                for await _ in drained {}
            })
        let group = ServiceGroup(configuration: .init(services: [gateway], logger: logger))
        let running = Task { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let test = TestGateway(port: port, service: service, key: key)
        await group.triggerGracefulShutdown()
        for await _ in begun {}
        await service.fail(EngineError(.draining, "the engine is shutting down"))
        let refused = try await test.send(
            "POST", "/v1/jobs", body: #"{"task":{"type":"source","code":"def main(): pass"}}"#)
        #expect(refused.status == 503)
        #expect(try refused.json()["type"] == "/problems/draining")
        #expect(refused.header("Retry-After") != nil)
        #expect(try await test.send("GET", "/healthz").status == 200)
        ends.finish()
        try await running.value
        #expect(throws: HTTPConnection.Failure.self) { try HTTPConnection(port: port) }
    }

    @Test("still names an address that cannot be listened on")
    func takenAddress() async throws {
        var options = GatewayOptions()
        options.host = "192.0.2.1"
        options.port = 1
        let gateway = GatewayService(
            service: StubJobService(), keys: StubKeys(), options: options,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in KeptLog(lines: .init()) })
        let error = await #expect(throws: EngineError.self) { try await gateway.run() }
        #expect(error?.code == .configuration)
        #expect(error?.message.contains("192.0.2.1:1") == true)
    }
}
