import Foundation
import SlipwayCore

/// A client of the REST interface.
struct GatewayClient: Sendable {
    /// The address, without a slash at its end.
    let url: String
    private let key: String
    private let keySource: KeySource
    private let transport = CurlTransport()

    /// More than any answer but a result has.
    private static let answerBytes = 256 << 20
    /// How often a broken stream or wait is taken up again without anything new.
    private static let reconnections = 5
    /// What a restart of the gateway looks like.
    private static let passingFaults: Set<CurlError.Kind> = [.connectionLost, .timedOut, .couldNotConnect]

    /// - Parameter source: Where the key is from, for a gateway that does not take it.
    init(url: String, key: String, from source: KeySource) {
        self.url = url
        self.key = key
        keySource = source
    }

    /// Sends a request and gives the body of its answer.
    ///
    /// - Parameters:
    ///   - target: Path and query, percent-encoded.
    ///   - accepts: Error statuses that are answers too.
    ///   - waiting: How long the gateway may hold the answer back.
    ///   - missing: What is said for a 404; that there is no such job unless given.
    /// - Throws: ``GatewayProblem`` for an error status, ``CommandExit`` when there is no answer.
    @discardableResult
    func call(
        _ method: String, _ target: String, body: [UInt8]? = nil, headers: [(name: String, value: String)] = [],
        accepts: Set<Int> = [], waiting: Duration = .zero, missing: String? = nil
    ) async throws -> (status: Int, body: [UInt8]) {
        do {
            return try await exchange(
                method, target, body: body, headers: headers, accepts: accepts, waiting: waiting, missing: missing)
        } catch let error as CurlError {
            throw unreachable(error)
        }
    }

    /// The same, but a ``CurlError`` when there is no answer.
    private func exchange(
        _ method: String, _ target: String, body: [UInt8]? = nil, headers: [(name: String, value: String)] = [],
        accepts: Set<Int> = [], waiting: Duration, missing: String? = nil
    ) async throws -> (status: Int, body: [UInt8]) {
        var request = request(method, target, headers)
        if let body {
            request.headers.append(("Content-Type", "application/json"))
            request.body = .bytes(body)
        }
        request.timeouts = CurlTimeouts(connect: .seconds(5), total: .seconds(60) + waiting)
        let response = try await transport.send(request, limitBytes: Self.answerBytes)
        let status = response.head.status
        guard (200..<300).contains(status) || accepts.contains(status) else {
            throw problem(response.head, response.body, missing)
        }
        return (status, response.body)
    }

    /// Waits for the end of a job; gives the job as it is when the time is up.
    ///
    /// A wait that a restart of the gateway breaks off is begun again.
    func wait(for id: JobID, upTo limit: Duration) async throws -> [UInt8] {
        let deadline = ContinuousClock.now + limit
        var isReached = false
        var failures = 0
        while true {
            let rest = min(max(deadline - .now, .zero), .seconds(50))
            let target = "/v1/jobs/\(id)?wait=\(max(1, rest.components.seconds))"
            do {
                let body = try await exchange("GET", target, waiting: rest).body
                if try JobReport(body).state?.isTerminal == true || deadline <= .now { return body }
                (isReached, failures) = (true, 0)
                continue
            } catch let error as CurlError {
                // A connection that breaks had somebody at its other end.
                isReached = isReached || error.kind == .connectionLost
                guard isReached, Self.passingFaults.contains(error.kind) else { throw unreachable(error) }
                guard failures < Self.reconnections else { throw lost(id) }
            } catch let problem as GatewayProblem where problem.status == 503 {
                // It is about to end, or has only just begun.
                isReached = true
                guard failures < Self.reconnections else { throw problem }
            }
            failures += 1
            try await Task.sleep(for: .seconds(1))
        }
    }

    /// Hands each event of a job to `show`, those to come included, and returns after the last.
    ///
    /// A connection that breaks is taken up again where it broke.
    func events(of id: JobID, _ show: ([UInt8]) throws -> Void) async throws {
        var last = 0
        var failures = 0
        while true {
            let before = last
            do {
                if try await readEvents(of: id, after: &last, show) { return }
            } catch let error as CurlError {
                guard last > 0, Self.passingFaults.contains(error.kind), failures < Self.reconnections
                else { throw unreachable(error) }
            }
            failures = last > before ? 0 : failures + 1
            guard failures <= Self.reconnections else { throw lost(id) }
            if failures > 0 { try await Task.sleep(for: .seconds(1)) }
        }
    }

    /// Streams the text of `target` to `show`.
    func stream(_ target: String, _ show: ([UInt8]) throws -> Void) async throws {
        do {
            let body = try await open(request("GET", target, []))
            while let chunk = try await body.next() { try show(chunk) }
        } catch let error as CurlError {
            throw unreachable(error)
        }
    }

    /// Reads events until the stream ends; true when the job's last one was seen.
    private func readEvents(
        of id: JobID, after last: inout Int, _ show: ([UInt8]) throws -> Void
    ) async throws -> Bool {
        var headers = [(name: "Accept", value: "application/x-ndjson")]
        if last > 0 { headers.append(("Last-Event-ID", "\(last)")) }
        let body = try await open(request("GET", "/v1/jobs/\(id)/events", headers))
        var rest: [UInt8] = []
        while let chunk = try await body.next() {
            var start = 0
            rest += chunk
            while let end = rest[start...].firstIndex(of: 0x0A) {
                let line = Array(rest[start..<end])
                start = end + 1
                guard !line.isEmpty else { continue }
                try show(line)
                let event = try JobReport.parse(line)
                last = event["seq"]?.integer ?? last
                guard event["type"]?.string == "job_update", let status = event["status"]?.string else { continue }
                if JobState(rawValue: status)?.isTerminal == true { return true }
            }
            rest.removeSubrange(..<start)
        }
        return false
    }

    private func open(_ request: CurlRequest) async throws -> CurlBody {
        var request = request
        request.lane = .lasting
        request.timeouts = CurlTimeouts(connect: .seconds(5), total: nil)
        let (head, body) = try await transport.open(request)
        guard (200..<300).contains(head.status) else {
            throw problem(head, try await body.collect(limitBytes: 1 << 20))
        }
        return body
    }

    private func request(
        _ method: String, _ target: String, _ headers: [(name: String, value: String)]
    ) -> CurlRequest {
        CurlRequest(
            method: method, origin: CurlOrigin(base: url), target: target,
            headers: [("Authorization", "Bearer \(key)"), ("User-Agent", "slipway/\(slipwayVersion)")] + headers)
    }

    private func problem(_ head: CurlResponseHead, _ body: [UInt8], _ missing: String? = nil) -> GatewayProblem {
        GatewayProblem(
            status: head.status, body: body, retryAfter: head.header("Retry-After"), missing: missing, key: keySource)
    }

    private func lost(_ id: JobID) -> CommandExit {
        CommandExit(CommandExit.unreachable, "the connection to \(url) is lost; the job goes on: slipway wait \(id)")
    }

    private func unreachable(_ error: CurlError) -> CommandExit {
        let hint = error.kind == .couldNotConnect ? " Is `slipway serve` running there?" : ""
        return CommandExit(CommandExit.unreachable, "cannot reach the gateway at \(url): \(error.message).\(hint)")
    }
}

extension JobID {
    /// Reads an argument.
    ///
    /// - Throws: ``CommandExit`` with code 2.
    static func argument(_ text: String) throws -> JobID {
        guard let id = JobID(text) else {
            throw CommandExit(
                CommandExit.usage, "'\(text)' is no job id; they look like job_01J... (see slipway list).")
        }
        return id
    }
}
