import Foundation

/// A blocking HTTP/1.1 client that sends one request per connection, or exactly the bytes it is given.
package struct HTTPClient: Sendable {
    /// Where the server is.
    package enum Address: Sendable {
        case port(Int)
        case unix(String)
    }

    /// A whole response.
    package struct Response: Sendable {
        package let status: Int
        /// Names in lower case.
        package let headers: [(name: String, value: String)]
        package let body: [UInt8]

        package var text: String { String(decoding: body, as: UTF8.self) }
        package func header(_ name: String) -> String? { headers.first { $0.name == name.lowercased() }?.value }
    }

    package var address: Address
    /// Sent as a bearer token where there is one.
    package var key: String?
    /// The longest wait for the next bytes of the server.
    package var timeoutSeconds = 90

    package init(_ address: Address, key: String? = nil) {
        self.address = address
        self.key = key
    }

    /// Sends a request and reads the whole answer, on a thread of its own.
    package func send(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: String? = nil
    ) async throws -> Response {
        try await exchange(request(method, path, headers: headers, body: body.map { Array($0.utf8) }))
    }

    /// Sends these bytes and reads one answer, on a thread of its own.
    package func exchange(_ bytes: [UInt8]) async throws -> Response {
        try await onThread { try self.exchangeBlocking(bytes) }
    }

    /// Sends these bytes and reads one answer.
    package func exchangeBlocking(_ bytes: [UInt8]) throws -> Response {
        let connection = try HTTPConnection(address, timeoutSeconds: timeoutSeconds)
        try connection.send(bytes)
        return try connection.receive()
    }

    /// The bytes of a request.
    package func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8]? = nil
    ) -> [UInt8] {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        if let key { text += "Authorization: Bearer \(key)\r\n" }
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

/// One blocking connection.
package final class HTTPConnection {
    private let descriptor: Int32

    package init(_ address: HTTPClient.Address, timeoutSeconds: Int = 90) throws {
        descriptor =
            switch address {
            case .port(let port): try SocketAddress.connect(port: port)
            case .unix(let path): try SocketAddress.connect(path: path)
            }
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    package func send(_ bytes: [UInt8]) throws {
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

    package func receive() throws -> HTTPClient.Response {
        var buffer: [UInt8] = []
        var end: Int?
        while end == nil {
            guard try read(into: &buffer) else { throw TestFailure("closed before the header") }
            end = buffer.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound
        }
        let headEnd = end ?? 0
        let lines = String(decoding: buffer[..<headEnd].dropLast(4), as: UTF8.self).components(separatedBy: "\r\n")
        let headers = lines.dropFirst().map { line -> (name: String, value: String) in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
        guard let status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") else {
            throw TestFailure("no status line: \(lines[0])")
        }
        var body = Array(buffer[headEnd...])
        let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) }
        let isChunked = headers.contains { $0.name == "transfer-encoding" && $0.value == "chunked" }
        if status == 204 || status == 304 {
            // No body follows.
        } else if let length {
            while body.count < length {
                guard try read(into: &body) else { throw TestFailure("closed within the body") }
            }
        } else if isChunked {
            body = try receiveChunks(body)
        } else {
            while try read(into: &body) {}
        }
        return HTTPClient.Response(status: status, headers: headers, body: body)
    }

    private func receiveChunks(_ start: [UInt8]) throws -> [UInt8] {
        var buffer = start
        var place = 0
        var body: [UInt8] = []
        while true {
            guard let line = buffer[place...].firstRange(of: [13, 10]) else {
                guard try read(into: &buffer) else { throw TestFailure("closed within a chunk") }
                continue
            }
            let word = String(decoding: buffer[place..<line.lowerBound], as: UTF8.self)
            guard let size = Int(word, radix: 16) else { throw TestFailure("bad chunk: \(word)") }
            while buffer.count < line.upperBound + size + 2 {
                guard try read(into: &buffer) else { throw TestFailure("closed within a chunk") }
            }
            body += buffer[line.upperBound..<line.upperBound + size]
            place = line.upperBound + size + 2
            if size == 0 { return body }
        }
    }

    private func read(into buffer: inout [UInt8]) throws -> Bool {
        var part = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &part, part.count, 0)
        if count < 0 { throw TestFailure("recv: errno \(errno)") }
        buffer += part[..<count]
        return count > 0
    }
}

/// Makes and connects sockets.
package enum SocketAddress {
    /// A connection to a port of this machine.
    package static func connect(port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return try checked(result, descriptor, "connect to port \(port)")
    }

    /// A connection to a unix socket.
    package static func connect(path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let result = try with(path) { Glibc.connect(descriptor, $0, $1) }
        return try checked(result, descriptor, "connect to \(path)")
    }

    /// A port of this machine that listens; 0 takes one that is free.
    package static func listen(port: Int) throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.bind(descriptor, address, size) == 0 && Glibc.listen(descriptor, 64) == 0
                    ? getsockname(descriptor, address, &size) : -1
            }
        }
        return (try checked(result, descriptor, "listen at port \(port)"), Int(in_port_t(bigEndian: address.sin_port)))
    }

    /// A unix socket that listens.
    package static func listen(path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let result = try with(path) { Glibc.bind(descriptor, $0, $1) == 0 ? Glibc.listen(descriptor, 64) : -1 }
        return try checked(result, descriptor, "listen at \(path)")
    }

    private static func with(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw TestFailure("the path \(path) is too long for a socket")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func checked(_ result: Int32, _ descriptor: Int32, _ action: String) throws -> Int32 {
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw TestFailure("\(action): errno \(code)")
        }
        return descriptor
    }
}
