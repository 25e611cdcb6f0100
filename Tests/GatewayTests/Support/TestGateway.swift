import Foundation
import Logging
import NIOPosix
import ServiceLifecycle
import SlipwayCore
import SlipwayGateway
import Testing

/// A gateway on a free port, before a service of the test.
struct TestGateway: Sendable {
    let port: Int
    let service: StubJobService
    let key: String

    /// One request on a connection of its own.
    func send(
        _ method: String, _ path: String, key: String?? = .none, headers: [(String, String)] = [],
        body: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> HTTPConnection.Response {
        try await HTTPConnection(port: port).exchange(
            request(method, path, key: key, headers: headers, body: body.map { Array($0.utf8) }),
            isHead: method == "HEAD", sourceLocation: sourceLocation)
    }

    /// The bytes of a request; the default key unless another or none is given.
    func request(
        _ method: String, _ path: String, key: String?? = .none, headers: [(String, String)] = [],
        body: [UInt8]? = nil
    ) -> [UInt8] {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
        if let key = key ?? self.key { text += "Authorization: Bearer \(key)\r\n" }
        if let body {
            if !headers.contains(where: { $0.0.lowercased() == "content-type" }) {
                text += "Content-Type: application/json\r\n"
            }
            text += "Content-Length: \(body.count)\r\n"
        }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return Array((text + "\r\n").utf8) + (body ?? [])
    }
}

/// Runs `body` against a gateway and shuts it down after.
///
/// - Parameter lines: Where its log is kept; it is silent otherwise.
func withGateway(
    options: GatewayOptions = GatewayOptions(), keys: StubKeys = StubKeys(), limits: RequestLimits = RequestLimits(),
    log lines: KeptLog.Lines? = nil, _ body: @Sendable (TestGateway) async throws -> Void
) async throws {
    var (options, keys) = (options, keys)
    options.port = 0
    let key = keys.add(.default)
    let service = StubJobService()
    await service.setLimits(limits)
    let (ports, continuation) = AsyncStream<Int>.makeStream()
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    if let lines { logger = Logger(label: "test") { _ in KeptLog(lines: lines) } }
    let gateway = GatewayService(
        service: service, keys: keys, limits: limits, options: options,
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger
    ) { _, port in continuation.yield(port) }
    let group = ServiceGroup(configuration: .init(services: [gateway], logger: logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { return }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(TestGateway(port: port, service: service, key: key)))
        } catch {
            outcome = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        try outcome.get()
    }
}

extension HTTPConnection.Response {
    /// The body as a JSON value.
    func json() throws -> JSONValue { try JSONValue(parsing: body) }
}
