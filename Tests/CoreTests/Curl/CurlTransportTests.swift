import Foundation
import SlipwayCore
import Synchronization
import Testing

@Suite("HTTP over libcurl, against a scripted server")
struct CurlTransportTests {
    let transport = CurlTransport()

    @Test("requests carry method, path, headers and body; responses their head and body")
    func exchange() async throws {
        let seen = Mutex<[(head: String, body: [UInt8])]>([])
        let server = try StubServer { connection in
            while let request = connection.readRequest() {
                seen.withLock { $0.append(request) }
                connection.respond(status: "201 Created", headers: "X-Thing: a: b \r\n", "made")
            }
        }
        var request = request(server, "/v1/x?y=%20z/../w", method: "POST")
        request.headers = [("X-Empty", ""), ("Content-Type", "application/json")]
        request.body = .bytes(Array("{\"a\":1}".utf8))
        let response = try await transport.send(request, limitBytes: 100)
        #expect(response.head.status == 201)
        #expect(response.head.header("x-thing") == "a: b")
        #expect(response.body == Array("made".utf8))
        for method in ["GET", "DELETE", "POST", "PUT"] {
            let response = try await transport.send(self.request(server, "/\(method)", method: method), limitBytes: 100)
            #expect(response.body.count == 4)
        }
        let requests = seen.withLock { $0 }
        #expect(requests[0].head.hasPrefix("POST /v1/x?y=%20z/../w HTTP/1.1\r\n"))
        #expect(requests[0].head.contains("\r\nX-Empty:\r\n"))
        #expect(requests[0].head.contains("\r\nContent-Type: application/json\r\n"))
        #expect(!requests[0].head.contains("Expect"))
        #expect(requests[0].body == Array("{\"a\":1}".utf8))
        #expect(requests.dropFirst().map { $0.head.prefix { $0 != " " } } == ["GET", "DELETE", "POST", "PUT"])
        #expect(!requests.dropFirst().contains { $0.head.contains("Content-Type") })
        #expect(server.connectionCount == 1, "the connection is kept alive")
    }

    @Test("a header that holds a line end is refused")
    func headerInjection() async throws {
        let server = try StubServer { _ in }
        var request = request(server)
        request.headers = [("X", "a\r\nY: b")]
        await expect(.internalFault) { try await transport.send(request, limitBytes: 1) }
        #expect(server.connectionCount == 0)
    }

    @Test("nobody listening, garbage, a cut and a truncated chunk are told apart")
    func faults() async throws {
        await expect(.couldNotConnect) {
            try await transport.send(
                CurlRequest(
                    method: "GET", origin: CurlOrigin(base: "http://localhost", unixSocketPath: "/tmp/no-such-socket"),
                    target: "/"), limitBytes: 1)
        }
        let answers: [(String, CurlError.Kind)] = [
            ("\u{1}\u{2}garbage\r\n\r\n", .malformedResponse),
            ("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", .malformedResponse),
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", .connectionLost),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc", .connectionLost),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", .connectionLost),
            ("", .connectionLost),
            ("HTTP/1.1 200 OK\r\nX-Long: " + String(repeating: "x", count: 200_000), .malformedResponse),
        ]
        for (answer, kind) in answers {
            let server = try StubServer { connection in
                _ = connection.readRequest()
                connection.write(answer)
            }
            await expect(kind, "for \(answer.prefix(60))") {
                try await transport.send(request(server), limitBytes: 1 << 20)
            }
        }
    }

    @Test("a body above the limit ends the transfer")
    func tooLarge() async throws {
        let server = try StubServer { connection in
            while connection.readRequest() != nil { connection.respond(String(repeating: "x", count: 101)) }
        }
        await expect(.responseTooLarge) { try await transport.send(request(server), limitBytes: 100) }
        #expect(try await transport.send(request(server), limitBytes: 101).body.count == 101)
    }

    @Test("a server that hangs runs into the total and the idle limit")
    func timeouts() async throws {
        let silent = try StubServer { $0.hang() }
        var request = request(silent)
        request.timeouts.total = .milliseconds(50)
        await expect(.timedOut) { [request] in try await transport.send(request, limitBytes: 1) }

        let stalling = try StubServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            connection.hang()
        }
        var streamed = self.request(stalling)
        streamed.timeouts = CurlTimeouts(total: nil, idle: .milliseconds(50))
        // On a slow machine the limit may pass before the first bytes: the error is the same.
        await expect(.timedOut) { [streamed] in
            let (_, body) = try await transport.open(streamed)
            #expect(try await body.next() == Array("abc".utf8))
            return try await body.next()
        }
    }

    @Test("a cancelled task aborts the transfer, before, at and after its start", arguments: 0..<20)
    func cancellation(round: Int) async throws {
        let server = try StubServer { $0.hang() }
        let task = Task { try await transport.send(request(server), limitBytes: 1) }
        if round > 0 { for _ in 0..<(round * round) { await Task.yield() } }
        if round > 15 { while server.connectionCount == 0 { await Task.yield() } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("requests above the limit wait for a slot, and leave the queue when cancelled or too late")
    func slots() async throws {
        var options = CurlTransport.Options()
        options.maxBriefRequests = 1
        options.maxWaitingRequests = 2
        let transport = CurlTransport(options: options)
        let gate = Mutex(false)
        let server = try StubServer { connection in
            guard connection.readRequest() != nil else { return }
            while connection.number == 1, !gate.withLock({ $0 }) { usleep(1000) }
            connection.respond("connection \(connection.number)")
            while connection.readRequest() != nil { connection.respond("again") }
        }
        let request = request(server)
        let first = Task { try await transport.send(request, limitBytes: 100) }
        while server.connectionCount == 0 { await Task.yield() }
        let cancelled = Task { try await transport.send(request, limitBytes: 100) }
        var hurried = request
        hurried.timeouts.total = .milliseconds(30)
        await expect(.timedOut) { [hurried] in try await transport.send(hurried, limitBytes: 100) }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let second = Task { try await transport.send(request, limitBytes: 100) }
        var lasting = request
        lasting.lane = .lasting
        #expect(try await transport.send(lasting, limitBytes: 100).body == Array("connection 2".utf8))
        gate.withLock { $0 = true }
        #expect(try await first.value.body == Array("connection 1".utf8))
        #expect(try await second.value.body == Array("again".utf8))
    }

    @Test("a full queue refuses at once")
    func fullQueue() async throws {
        var options = CurlTransport.Options()
        options.maxBriefRequests = 0
        options.maxWaitingRequests = 0
        let transport = CurlTransport(options: options)
        let server = try StubServer { $0.hang() }
        await expect(.queueFull) { try await transport.send(request(server), limitBytes: 1) }
    }

    @Test("shutdown fails what runs and what comes later, and dropping the transport ends its thread")
    func shutdown() async throws {
        let server = try StubServer { $0.hang() }
        let transport = CurlTransport()
        let running = Task { try await transport.send(request(server), limitBytes: 1) }
        while server.connectionCount == 0 { await Task.yield() }
        await transport.shutdown()
        await expect(.closed) { try await running.value }
        await expect(.closed) { try await transport.send(request(server), limitBytes: 1) }
        await expect(.closed) { try await transport.connect(request(server).origin, timeout: .seconds(1)) }
        await transport.shutdown()
    }

    private func request(_ server: StubServer, _ target: String = "/", method: String = "GET") -> CurlRequest {
        stubRequest(server, target, method: method)
    }

    private func expect<Value: Sendable>(
        _ kind: CurlError.Kind, _ comment: Comment? = nil, location: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Value
    ) async {
        await expectCurlError(kind, comment, location: location, body)
    }
}

func stubRequest(_ server: StubServer, _ target: String = "/", method: String = "GET") -> CurlRequest {
    var request = CurlRequest(
        method: method, origin: CurlOrigin(base: "http://localhost", unixSocketPath: server.path), target: target)
    // Tests run side by side on few processors: no test of something else is to run out of time.
    request.timeouts.total = .seconds(600)
    return request
}

/// Expects a transport error of one kind.
func expectCurlError<Value: Sendable>(
    _ kind: CurlError.Kind, _ comment: Comment? = nil, location: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Value
) async {
    do {
        let value = try await body()
        Issue.record("expected \(kind), got \(value)", sourceLocation: location)
    } catch {
        #expect((error as? CurlError)?.kind == kind, comment, sourceLocation: location)
    }
}
