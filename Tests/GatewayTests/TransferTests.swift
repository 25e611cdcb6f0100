import SlipwayCore
import SlipwayGateway
import TestSupport
import Testing

/// Bodies that stall, readers that stall, and the room that both take.
@Suite("Transfers")
struct TransferTests {
    private let head = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

    /// A job whose body has about so many bytes.
    private func job(bytes: Int) -> [UInt8] {
        let filler = String(repeating: "x", count: bytes)
        return Array(##"{"task":{"type":"source","code":"#\##(filler)"}}"##.utf8)
    }

    /// The beginning of a request whose body is announced and does not come.
    private func beginning(_ gateway: TestGateway, announcing bytes: Int) -> [UInt8] {
        Array((head + "Authorization: Bearer \(gateway.key)\r\nContent-Length: \(bytes)\r\n\r\n{").utf8)
    }

    @Test("a body that stalls is 408 and closes")
    func stalledBody() async throws {
        var options = GatewayOptions()
        options.bodyTimeout = .milliseconds(300)
        try await withGateway(options: options) { gateway in
            for framing in ["Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n25\r\n{"] {
                let connection = try HTTPConnection(port: gateway.port)
                let request = head + "Authorization: Bearer \(gateway.key)\r\n" + framing
                let response = try await connection.exchange(Array(request.utf8))
                #expect(response.status == 408)
                #expect(response.header("Content-Type") == "application/problem+json")
                #expect(response.header("Connection") == "close")
                #expect(try response.json()["type"]?.text == "/problems/request-timeout")
                #expect(try await connection.isClosed())
            }
        }
    }

    @Test("a body that takes longer than the timeout without a pause as long is taken")
    func slowBody() async throws {
        var options = GatewayOptions()
        // Generous, since other tests may take the processors for seconds.
        options.bodyTimeout = .seconds(20)
        try await withGateway(options: options) { gateway in
            let slow = try HTTPConnection(port: gateway.port)
            let request = gateway.request("POST", "/v1/jobs", body: job(bytes: 8))
            try await slow.write(Array(request.dropLast(12)))
            for byte in request.suffix(12) {
                try await Task.sleep(for: .milliseconds(1750))
                try await slow.write([byte])
            }
            #expect(try await slow.response().status == 202)
            #expect(await gateway.service.submissions.count == 1)
        }
    }

    @Test("a stalled body of a request that nobody reads closes the connection")
    func unreadBody() async throws {
        var options = GatewayOptions()
        options.bodyTimeout = .milliseconds(200)
        try await withGateway(options: options) { gateway in
            let connection = try HTTPConnection(port: gateway.port)
            let request = "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"
            #expect(try await connection.exchange(Array(request.utf8)).status == 200)
            #expect(try await connection.isClosed())
        }
    }

    @Test("bodies wait for room, and are refused with 503 when there is none in time")
    func roomForBodies() async throws {
        var options = GatewayOptions()
        options.bodiesInFlightMaxBytes = 1 << 20
        options.roomTimeout = .milliseconds(200)
        try await withGateway(options: options) { gateway in
            var holder: HTTPConnection? = try HTTPConnection(port: gateway.port)
            try await holder?.write(beginning(gateway, announcing: 900 << 10))
            let large = gateway.request("POST", "/v1/jobs", body: job(bytes: 200 << 10))
            let refused = try await eventually("the first body holds the room") {
                let response = try await HTTPConnection(port: gateway.port).exchange(large)
                return response.status == 202 ? nil : response
            }
            #expect(refused.status == 503)
            #expect(refused.header("Retry-After") == "2")
            #expect(try refused.json()["type"]?.text == "/problems/no-room")
            #expect(refused.text.contains("gateway.bodies_in_flight_max"))
            let small = gateway.request("POST", "/v1/jobs", body: job(bytes: 20))
            #expect(try await HTTPConnection(port: gateway.port).exchange(small).status == 202)
            holder = nil
            try await waitUntil("the room is free again") {
                try await HTTPConnection(port: gateway.port).exchange(large).status == 202
            }
        }
    }

    @Test("slow large bodies of one tenant leave room for those of another")
    func roomOfTenants() async throws {
        var (options, keys) = (GatewayOptions(), StubKeys())
        options.roomTimeout = .milliseconds(200)
        options.bodyTimeout = .seconds(600)
        options.leastRate.grace = .seconds(600)
        let slow = keys.add(try #require(TenantID("slow")))
        let other = keys.add(try #require(TenantID("other")))
        try await withGateway(options: options, keys: keys) { gateway in
            let start = head + "Authorization: Bearer \(slow)\r\nContent-Length: \(64 << 20)\r\n\r\n{"
            let holders = try (0..<4).map { _ in try HTTPConnection(port: gateway.port) }
            for holder in holders { try await holder.write(Array(start.utf8)) }
            let body = job(bytes: 100 << 10)
            let refused = try await eventually("the tenant has no room left") {
                let request = gateway.request("POST", "/v1/jobs", key: slow, body: body)
                let response = try await HTTPConnection(port: gateway.port).exchange(request)
                return response.status == 202 ? nil : response
            }
            #expect(refused.status == 503)
            for _ in 0..<3 {
                for holder in holders { try await holder.write([UInt8(ascii: " ")]) }
                let request = gateway.request("POST", "/v1/jobs", key: other, body: body)
                #expect(try await HTTPConnection(port: gateway.port).exchange(request).status == 202)
            }
        }
    }

    @Test("a body that has room and trickles is 408, although it never pauses for long")
    func tricklingBody() async throws {
        var options = GatewayOptions()
        options.leastRate.grace = .milliseconds(300)
        options.leastRate.bytesPerSecond = 1 << 20
        options.bodyTimeout = .seconds(600)
        try await withGateway(options: options) { gateway in
            for framing in ["Content-Length: 200000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n40000\r\n{"] {
                let connection = try HTTPConnection(port: gateway.port)
                let request = head + "Authorization: Bearer \(gateway.key)\r\n" + framing
                // A body without a length takes room when it has become large.
                try await connection.write(Array(request.utf8) + [UInt8](repeating: 32, count: 80_000))
                let trickle = Task {
                    while !Task.isCancelled {
                        try await connection.write([32])
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                defer { trickle.cancel() }
                let response = try await connection.response()
                #expect(response.status == 408)
                #expect(response.header("Connection") == "close")
                #expect(try response.json()["type"]?.text == "/problems/request-timeout")
            }
            #expect(await gateway.service.submissions.isEmpty)
        }
    }

    @Test("a body that has room and is quick on average may pause")
    func pausingBody() async throws {
        var options = GatewayOptions()
        options.leastRate.grace = .milliseconds(100)
        // What comes at once pays for minutes: other tests may take the processors for seconds.
        options.leastRate.bytesPerSecond = 1 << 10
        try await withGateway(options: options) { gateway in
            let connection = try HTTPConnection(port: gateway.port)
            let request = gateway.request("POST", "/v1/jobs", body: job(bytes: 200 << 10))
            try await connection.write(Array(request.dropLast(3)))
            for byte in request.suffix(3) {
                try await Task.sleep(for: .milliseconds(700))
                try await connection.write([byte])
            }
            #expect(try await connection.response().status == 202)
        }
    }

    @Test("a body that the gateway has no room for yet is not taken for one that stalls")
    func patience() async throws {
        var options = GatewayOptions()
        options.bodiesInFlightMaxBytes = 1 << 20
        options.bodyTimeout = .seconds(4)
        options.roomTimeout = .seconds(60)
        try await withGateway(options: options) { gateway in
            let slow = try HTTPConnection(port: gateway.port)
            let body = job(bytes: 900 << 10)
            let request = gateway.request("POST", "/v1/jobs", body: body)
            try await slow.write(Array(request.dropLast(8)))
            // Room for the second is there only when the first, which is slow, is whole.
            async let second = HTTPConnection(port: gateway.port).exchange(
                gateway.request("POST", "/v1/jobs", body: body))
            for byte in request.suffix(8) {
                try await Task.sleep(for: .milliseconds(700))
                try await slow.write([byte])
            }
            #expect(try await slow.response().status == 202)
            #expect(try await second.status == 202)
        }
    }

    @Test("results wait for room, and a reader that stops reading is cut off and gives its room back")
    func roomForResults() async throws {
        var options = GatewayOptions()
        options.resultsInFlightMaxBytes = 40 << 20
        options.roomTimeout = .milliseconds(100)
        options.sendTimeout = .seconds(10)
        try await withGateway(options: options) { gateway in
            let job = Job.sample(state: .completed)
            let bytes = [UInt8](repeating: 7, count: 32 << 20)
            await gateway.service.add(
                JobOutcome(job: job, result: JobResult(media: .pickle, bytes: bytes, exitCode: nil)))
            let request = gateway.request(
                "GET", "/v1/jobs/\(job.id)/result", headers: [("Accept", "application/octet-stream")])
            // A busy machine may come to the second request only when the first reader has been cut off.
            let (stuck, refused) = try await eventually("a request while a reader is stuck", within: .seconds(180)) {
                let stuck = try HTTPConnection(port: gateway.port)
                // It reads the header, which is sent once there is room, and nothing more.
                #expect(try await stuck.exchange(request, isHead: true).status == 200)
                let second = try await HTTPConnection(port: gateway.port).exchange(request)
                return second.status == 200 ? nil : (stuck, second)
            }
            #expect(refused.status == 503)
            #expect(try refused.json()["type"]?.text == "/problems/no-room")
            let whole = try await eventually("the stuck reader is cut off", within: .seconds(90)) {
                let response = try await HTTPConnection(port: gateway.port).exchange(request)
                return response.status == 200 ? response : nil
            }
            #expect(whole.body == bytes)
            await #expect(throws: (any Error).self) { try await stuck.response() }
        }
    }

    @Test("a reader that is too slow on average is cut off and gives its room back")
    func slowReader() async throws {
        var options = GatewayOptions()
        options.resultsInFlightMaxBytes = 40 << 20
        options.roomTimeout = .milliseconds(100)
        options.sendTimeout = .seconds(600)
        options.leastRate.grace = .seconds(3)
        options.leastRate.bytesPerSecond = 4 << 20
        try await withGateway(options: options) { gateway in
            let job = Job.sample(state: .completed)
            let bytes = [UInt8](repeating: 7, count: 32 << 20)
            await gateway.service.add(
                JobOutcome(job: job, result: JobResult(media: .pickle, bytes: bytes, exitCode: nil)))
            let request = gateway.request(
                "GET", "/v1/jobs/\(job.id)/result", headers: [("Accept", "application/octet-stream")])
            let slow = try HTTPConnection(port: gateway.port)
            #expect(try await slow.exchange(request, isHead: true).status == 200)
            let whole = try await eventually("the slow reader is cut off", within: .seconds(90)) {
                // One that a busy machine makes slow is cut off, too.
                let response = try? await HTTPConnection(port: gateway.port).exchange(request)
                return response?.status == 200 ? response : nil
            }
            #expect(whole.body == bytes)
            await #expect(throws: (any Error).self) { try await slow.response() }
        }
    }

    @Test("a result that is larger than all room goes out alone")
    func largerThanRoom() async throws {
        var options = GatewayOptions()
        options.resultsInFlightMaxBytes = 1 << 20
        try await withGateway(options: options) { gateway in
            let bytes = [UInt8](repeating: 9, count: 3 << 20)
            await gateway.service.endJobs { job in
                var job = job
                job.state = .completed
                return JobOutcome(job: job, result: JobResult(media: .bytes, bytes: bytes, exitCode: nil))
            }
            for _ in 0..<3 {
                let response = try await gateway.send(
                    "POST", "/v1/jobs", headers: [("Prefer", "wait=5")],
                    body: #"{"task":{"type":"source","code":"x"}}"#)
                #expect(response.status == 200)
                #expect(response.body.count > 4 << 20)
            }
        }
    }
}
