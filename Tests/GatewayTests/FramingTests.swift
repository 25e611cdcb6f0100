import NIOPosix
import SlipwayCore
import SlipwayGateway
import Logging
import Testing

@Suite("Framing of requests")
struct FramingTests {
    private let head = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    private let job = #"{"task":{"type":"source","code":"x"}}"#

    @Test(
        "what is no request is answered with a problem, and the connection closed",
        arguments: [
            ("NONSENSE\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nBad Header: x\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: x\r\n\0: y\r\n\r\n", 400),
        ])
    func refused(_ bytes: String, _ status: Int) async throws {
        try await withGateway { gateway in
            let connection = try HTTPConnection(port: gateway.port)
            let response = try await connection.exchange(Array(bytes.utf8))
            #expect(response.status == status)
            #expect(response.header("Content-Type") == "application/problem+json")
            #expect(response.header("X-Request-Id")?.isEmpty == false)
            #expect(response.header("Connection") == "close")
            #expect(try await connection.isClosed())
        }
    }

    @Test("headers above their limits are 431, a request line without end is 414")
    func large() async throws {
        try await withGateway { gateway in
            let start = "GET / HTTP/1.1\r\n"
            let requests = [
                (start + "X: \(String(repeating: "x", count: 20_000))\r\n\r\n", 431),
                (start + String(repeating: "X: y\r\n", count: 101) + "\r\n", 431),
                ("GET /" + String(repeating: "x", count: 30_000), 414),
            ]
            for (request, status) in requests {
                let connection = try HTTPConnection(port: gateway.port)
                let response = try await connection.exchange(Array(request.utf8))
                #expect(response.status == status)
                #expect(try await connection.isClosed())
            }
        }
    }

    @Test("a header that does not come is 408 with a problem, and the connection is closed")
    func slowHeader() async throws {
        var options = GatewayOptions()
        options.headerTimeout = .milliseconds(50)
        try await withGateway(options: options) { gateway in
            for start in ["GET / HT", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Late: "] {
                let connection = try HTTPConnection(port: gateway.port)
                let response = try await connection.exchange(Array(start.utf8))
                #expect(response.status == 408)
                #expect(response.header("Content-Type") == "application/problem+json")
                #expect(response.header("Connection") == "close")
                let problem = try response.json()
                #expect(problem["type"] == "/problems/request-timeout" && problem["status"] == 408)
                #expect(problem["detail"] == "The headers did not come in time.")
                let id = try #require(response.header("X-Request-Id"))
                #expect(!id.isEmpty && problem["request_id"] == .string(id))
                #expect(try await connection.isClosed())
            }
            let whole = try await gateway.send("GET", "/healthz")
            #expect(whole.status == 200)
        }
    }

    @Test("a client that asks is told to go on with its body")
    func expectContinue() async throws {
        try await withGateway { gateway in
            let connection = try HTTPConnection(port: gateway.port)
            let length = job.utf8.count
            let first = try await connection.exchange(
                Array(
                    (head
                        + "Authorization: Bearer \(gateway.key)\r\nExpect: 100-continue\r\nContent-Length: \(length)\r\n\r\n")
                        .utf8), isHead: true)
            #expect(first.status == 100)
            let second = try await connection.exchange(Array(job.utf8))
            #expect(second.status == 202)
        }
    }

    @Test("a body that breaks off is no job, even when what came is valid JSON")
    func brokenBody() async throws {
        try await withGateway { gateway in
            let broken = [
                "Transfer-Encoding: chunked\r\n\r\n25\r\n\(job)\r\nnonsense\r\n",
                "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
                "Content-Length: 100\r\n\r\n\(job)",
            ]
            for rest in broken {
                let connection = try HTTPConnection(port: gateway.port)
                let bytes = head + "Authorization: Bearer \(gateway.key)\r\n" + rest
                let response = try await connection.exchange(Array(bytes.utf8), endsOutput: true)
                #expect(response.status == 400)
                #expect(response.header("Content-Type") == "application/problem+json")
                #expect(response.header("X-Request-Id")?.isEmpty == false)
                #expect(response.header("Cache-Control") == "no-store")
                #expect(response.header("X-Content-Type-Options") == "nosniff")
                #expect(response.header("Connection") == "close")
                #expect(try response.json()["status"] == 400)
                #expect(try await connection.isClosed())
            }
            #expect(await gateway.service.submissions.isEmpty)
        }
    }

    @Test("a request that is answered before its body breaks off gets no second answer")
    func brokenAfterAnswer() async throws {
        try await withGateway { gateway in
            let connection = try HTTPConnection(port: gateway.port)
            let bytes = head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"
            let response = try await connection.exchange(Array(bytes.utf8))
            #expect(response.status == 401)
            #expect(try await connection.isClosed())
        }
    }

    @Test("requests follow one another on a connection, also sent ahead")
    func keepAlive() async throws {
        try await withGateway { gateway in
            let connection = try HTTPConnection(port: gateway.port)
            let request = gateway.request("POST", "/v1/jobs", body: Array(job.utf8))
            for _ in 0..<3 { #expect(try await connection.exchange(request).status == 202) }
            let missing = try await connection.exchange(gateway.request("GET", "/v1/jobs/x"))
            #expect(missing.status == 404)
            let again = try await connection.exchange(request)
            #expect(again.status == 202)
            #expect(await gateway.service.submissions.count == 4)
        }
    }

    @Test("an address that is taken is named")
    func taken() async throws {
        try await withGateway { gateway in
            var options = GatewayOptions()
            options.port = gateway.port
            let second = GatewayService(
                service: gateway.service, keys: StubKeys(), options: options,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"))
            let error = await #expect(throws: EngineError.self) { try await second.run() }
            #expect(error?.code == .configuration)
            #expect(error?.message.contains("\(gateway.port)") == true)
        }
    }
}
