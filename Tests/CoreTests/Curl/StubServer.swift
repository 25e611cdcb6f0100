import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A server on a real unix socket that does exactly what a script says, faults included.
///
/// Each connection runs the handler on a thread of its own until it returns; then the connection is closed.
final class StubServer: Sendable {
    /// One accepted connection, with blocking calls.
    struct Connection: Sendable {
        let descriptor: Int32
        let number: Int

        /// Reads one request: its head, and the body that Content-Length or chunking announces; nil at the end.
        func readRequest() -> (head: String, body: [UInt8])? {
            var head: [UInt8] = []
            while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
                guard let byte = readBytes(1)?.first else { return nil }
                head.append(byte)
            }
            let text = String(decoding: head, as: UTF8.self)
            let lines = text.lowercased().split(separator: "\r\n")
            if lines.contains("transfer-encoding: chunked") { return (text, readChunks()) }
            let length = lines.first { $0.hasPrefix("content-length:") }.flatMap {
                Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces))
            }
            return (text, readBytes(length ?? 0) ?? [])
        }

        /// Reads exactly so many bytes; nil when the peer closes before.
        func readBytes(_ count: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            var filled = 0
            while filled < count {
                let got = bytes.withUnsafeMutableBytes { buffer in
                    let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                    return recv(descriptor, rest.baseAddress, rest.count, 0)
                }
                guard got > 0 else { return nil }
                filled += got
            }
            return bytes
        }

        @discardableResult
        func write(_ text: String) -> Bool { write(Array(text.utf8)) }

        /// Writes everything; false when the peer is gone.
        @discardableResult
        func write(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes { rest in
                    send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }

        func respond(status: String = "200 OK", headers: String = "", _ body: String = "") {
            write("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
        }

        /// Blocks until the peer closes: what a server that hangs does.
        func hang() {
            while readBytes(1) != nil {}
        }

        private func readChunks() -> [UInt8] {
            var body: [UInt8] = []
            while true {
                var line: [UInt8] = []
                while line.last != 10 {
                    guard let byte = readBytes(1)?.first else { return body }
                    line.append(byte)
                }
                let digits = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
                guard let size = Int(digits, radix: 16), let chunk = readBytes(size), readBytes(2) != nil else {
                    return body
                }
                if size == 0 { return body }
                body += chunk
            }
        }
    }

    let path: String
    private let listener: Int32
    private let accepted = Mutex((count: 0, open: Set<Int32>(), isStopped: false))

    var connectionCount: Int { accepted.withLock { $0.count } }

    init(_ handler: @escaping @Sendable (Connection) -> Void) throws {
        path = "/tmp/slipway-stub-\(UInt64.random(in: 0 ... .max))"
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener, 1024) == 0 else { throw POSIXError(.EADDRINUSE) }
        let thread = Thread { [weak self, listener] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0, let self, let number = self.register(descriptor) else { return }
                Thread {
                    handler(Connection(descriptor: descriptor, number: number))
                    self.close(descriptor)
                }.start()
            }
        }
        thread.start()
    }

    /// Stops listening, removes the socket and cuts every connection.
    func stop() {
        let open = accepted.withLock { state -> Set<Int32> in
            state.isStopped = true
            return state.open
        }
        unlink(path)
        shutdown(listener, Int32(SHUT_RDWR))
        for descriptor in open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    deinit {
        unlink(path)
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
    }

    private func register(_ descriptor: Int32) -> Int? {
        accepted.withLock { state in
            guard !state.isStopped else { return nil }
            state.count += 1
            state.open.insert(descriptor)
            return state.count
        }
    }

    private func close(_ descriptor: Int32) {
        accepted.withLock { _ = $0.open.remove(descriptor) }
        Glibc.close(descriptor)
    }
}
