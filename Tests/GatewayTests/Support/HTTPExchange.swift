import Foundation
import Testing

/// A blocking HTTP/1.1 connection that sends exactly the bytes it is given; its calls run on threads of their own.
final class HTTPConnection: Sendable {
    struct Response: Sendable {
        let status: Int
        /// Names in lower case.
        let headers: [(name: String, value: String)]
        let body: [UInt8]
        /// The bytes of the first read, to see what left together.
        let firstRead: Int

        var text: String { String(decoding: body, as: UTF8.self) }
        func header(_ name: String) -> String? { headers.first { $0.name == name.lowercased() }?.value }

        /// Checks what every answer carries, whatever it is about; an interim one is none.
        fileprivate func checkCommonHeaders(_ sourceLocation: SourceLocation) {
            guard status >= 200 else { return }
            #expect(header("X-Request-Id")?.isEmpty == false, "\(status)", sourceLocation: sourceLocation)
            #expect(header("Cache-Control") == "no-store", "\(status)", sourceLocation: sourceLocation)
            #expect(header("X-Content-Type-Options") == "nosniff", "\(status)", sourceLocation: sourceLocation)
        }
    }

    struct Failure: Error {
        let what: String
    }

    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(what: "connect: \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sends bytes, then reads one response; the headers that every answer has are checked.
    func exchange(
        _ bytes: [UInt8], isHead: Bool = false, endsOutput: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Response {
        let response = try await onThread {
            try self.send(bytes)
            if endsOutput { shutdown(self.descriptor, Int32(SHUT_WR)) }
            return try self.receive(isHead: isHead)
        }
        response.checkCommonHeaders(sourceLocation)
        return response
    }

    /// Sends bytes and reads nothing.
    func write(_ bytes: [UInt8]) async throws { try await onThread { try self.send(bytes) } }

    /// Reads one response; the headers that every answer has are checked.
    func response(sourceLocation: SourceLocation = #_sourceLocation) async throws -> Response {
        let response = try await onThread { try self.receive(isHead: false) }
        response.checkCommonHeaders(sourceLocation)
        return response
    }

    /// Whether the server closes the connection before it sends another byte, and before the wait for one ends.
    func isClosed() async throws -> Bool {
        try await onThread {
            var byte: UInt8 = 0
            let count = recv(self.descriptor, &byte, 1, 0)
            return count == 0 || count < 0 && errno == ECONNRESET
        }
    }

    private func onThread<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
        }
    }

    private func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            // A server that has answered may not take the rest.
            guard count > 0 else { return }
            offset += count
        }
    }

    private func receive(isHead: Bool) throws -> Response {
        var buffer: [UInt8] = []
        var firstRead = 0
        var found: Int?
        while found == nil {
            guard try read(into: &buffer) else { throw Failure(what: "closed before the header") }
            if firstRead == 0 { firstRead = buffer.count }
            found = buffer.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound
        }
        let end = found ?? buffer.count
        let lines = String(decoding: buffer[..<end].dropLast(4), as: UTF8.self).components(separatedBy: "\r\n")
        let headers = lines.dropFirst().map { line -> (name: String, value: String) in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), parts[1].trimmingCharacters(in: .whitespaces))
        }
        guard let status = Int(lines[0].split(separator: " ")[1]) else { throw Failure(what: lines[0]) }
        var body = Array(buffer[end...])
        let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) }
        if isHead || status == 204 || status == 304 {
            // No body follows.
        } else if let length {
            while body.count < length {
                guard try read(into: &body) else { throw Failure(what: "closed within the body") }
            }
        } else {
            body = try receiveChunks(body)
        }
        return Response(status: status, headers: headers, body: body, firstRead: firstRead)
    }

    private func receiveChunks(_ start: [UInt8]) throws -> [UInt8] {
        var buffer = start
        var body: [UInt8] = []
        while true {
            guard let line = buffer.firstRange(of: [13, 10]) else {
                guard try read(into: &buffer) else { throw Failure(what: "closed within a chunk") }
                continue
            }
            guard let size = Int(String(decoding: buffer[..<line.lowerBound], as: UTF8.self), radix: 16) else {
                throw Failure(what: "bad chunk")
            }
            while buffer.count < line.upperBound + size + 2 {
                guard try read(into: &buffer) else { throw Failure(what: "closed within a chunk") }
            }
            body += buffer[line.upperBound..<line.upperBound + size]
            buffer = Array(buffer[(line.upperBound + size + 2)...])
            if size == 0 { return body }
        }
    }

    private func read(into buffer: inout [UInt8]) throws -> Bool {
        var part = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &part, part.count, 0)
        if count < 0 { throw Failure(what: "recv: \(errno)") }
        buffer += part[..<max(count, 0)]
        return count > 0
    }
}
