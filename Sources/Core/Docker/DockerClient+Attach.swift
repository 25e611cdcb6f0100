extension DockerClient {
    /// `POST /containers/{id}/attach`, upgraded to a raw stream: standard input, output and error of a container.
    ///
    /// There is no replay: output from before is not seen, and output while nobody is attached is lost to attached
    /// clients. A reader that does not read stalls the container after about a megabyte.
    /// - Parameter withInput: whether standard input is attached; the container must have been created with it not closed.
    package func attach(_ id: String, withInput: Bool = true) async throws -> DockerAttachment {
        let action = "attach to container \(id)"
        do {
            let version = try await apiVersion()
            let path = "/v\(version)\(DockerPath.container(id, "/attach"))"
            let target = "\(path)?stream=1&stdin=\(withInput ? 1 : 0)&stdout=1&stderr=1"
            let connection = try await transport.connect(endpoint.origin, timeout: options.timeouts.connect)
            let request = [
                "POST \(target) HTTP/1.1", "Host: \(DockerUpgrade.host(endpoint))", "Connection: Upgrade",
                "Upgrade: tcp", "Content-Type: text/plain", "Content-Length: 0", "", "",
            ].joined(separator: "\r\n")
            let leftover = try await withTimeLimit(options.timeouts.total, connection, action) {
                try await connection.write(Array(request.utf8))
                return try await DockerUpgrade.read(connection)
            }
            let frames = DockerFrames(body: connection.incoming, leftover: leftover, action: action, errors: errors)
            return DockerAttachment(frames: frames, connection: connection, action: action, errors: errors)
        } catch let error as DockerAPIError {
            throw errors.refused(action, error)
        } catch {
            throw errors.failed(action, error)
        }
    }

    /// Runs the handshake and closes the connection when it takes too long.
    private func withTimeLimit<Value: Sendable>(
        _ limit: Duration?, _ connection: CurlConnection, _ action: String,
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        guard let limit else { return try await body() }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else {
                connection.close()
                throw CurlError(.timedOut, "no complete answer within \(limit)")
            }
            return value
        }
    }
}

/// The answer to an upgrade request.
enum DockerUpgrade {
    private static let limitBytes = 64 * 1024

    static func host(_ endpoint: DockerEndpoint) -> String {
        switch endpoint.address {
        case .unix: "localhost"
        case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }

    /// Reads up to the end of the head and returns the first bytes of the stream that came with it.
    ///
    /// - Throws: `DockerAPIError` for any status but 101 (or 200, with which older engines hijack).
    static func read(_ connection: CurlConnection) async throws -> [UInt8] {
        var parser = DockerUpgradeParser(limitBytes: limitBytes)
        while true {
            guard let chunk = try await connection.incoming.next() else {
                throw CurlError(.connectionLost, "the connection ended before the answer")
            }
            guard let answer = try parser.feed(chunk) else { continue }
            if answer.status == 101 || (answer.status == 200 && answer.contentLength == nil) { return answer.leftover }
            var body = answer.leftover
            let wanted = min(answer.contentLength ?? 0, limitBytes)
            while body.count < wanted, let chunk = try await connection.incoming.next() { body += chunk }
            throw DockerAPIError(status: answer.status, body: Array(body.prefix(wanted)))
        }
    }
}

/// Finds the end of an HTTP head, however the bytes are cut.
struct DockerUpgradeParser {
    struct Answer: Equatable {
        let status: Int
        let contentLength: Int?
        let leftover: [UInt8]
    }

    private var bytes: [UInt8] = []
    private let limitBytes: Int

    init(limitBytes: Int) {
        self.limitBytes = limitBytes
    }

    /// The answer once its head is whole; nil before.
    mutating func feed(_ chunk: [UInt8]) throws -> Answer? {
        let searchFrom = max(0, bytes.count - 3)
        bytes += chunk
        let end: [UInt8] = [13, 10, 13, 10]
        guard
            let start = (searchFrom..<max(searchFrom, bytes.count - 3)).first(where: { bytes[$0...].starts(with: end) })
        else {
            guard bytes.count <= limitBytes else { throw malformed("the head exceeds \(limitBytes) bytes") }
            return nil
        }
        var collector = CurlHeadCollector()
        for line in bytes[..<start].split(separator: 10) {
            let outcome = Array(line).withUnsafeBytes { collector.consume(line: $0) }
            if case .malformed(let reason) = outcome { throw malformed(reason) }
        }
        guard collector.head.status != 0 else { throw malformed("there is no status line") }
        return Answer(
            status: collector.head.status, contentLength: collector.head.header("Content-Length").flatMap { Int($0) },
            leftover: Array(bytes[(start + 4)...]))
    }

    private func malformed(_ reason: String) -> CurlError {
        CurlError(.malformedResponse, reason)
    }
}

/// An attached container: its output as pieces, its input to write to.
///
/// Detaches when the last copy goes; the container runs on.
package struct DockerAttachment: Sendable {
    /// What the container prints, for one reader.
    package let frames: DockerFrames
    private let connection: CurlConnection
    private let action: String
    private let errors: DockerErrorMapper

    init(frames: DockerFrames, connection: CurlConnection, action: String, errors: DockerErrorMapper) {
        self.frames = frames
        self.connection = connection
        self.action = action
        self.errors = errors
    }

    /// Sends bytes to standard input; returns when they are buffered within limits.
    package func write(_ bytes: [UInt8]) async throws {
        do {
            try await connection.write(bytes)
        } catch {
            throw errors.failed(action, error)
        }
    }

    /// Ends standard input after what is queued; output goes on if the container was created with input `once`.
    package func finishInput() {
        connection.finishWriting()
    }

    /// Detaches at once.
    package func close() {
        connection.close()
    }
}
