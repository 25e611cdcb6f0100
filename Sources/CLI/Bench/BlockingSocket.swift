import Foundation
import SlipwayCore

#if canImport(Glibc)
    import Glibc
#endif

/// A blocking stream socket, for the benchmark's own clients: nothing between the clock and the kernel.
final class BlockingSocket {
    let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Connects to a port of the loopback interface.
    static func connect(port: Int) throws -> BlockingSocket {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw failure("socket") }
        let made = BlockingSocket(descriptor: descriptor)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw failure("connect") }
        var one: Int32 = 1
        guard setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size)) == 0
        else { throw failure("setsockopt") }
        return made
    }

    /// Listens on a unix socket and takes the first connection.
    static func accept(path: String, readying start: () async throws -> Void) async throws -> BlockingSocket {
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw failure("socket") }
        defer { close(listener) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8) + [0]) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener, 4) == 0, chmod(path, 0o666) == 0 else { throw failure("listen on \(path)") }
        try await start()
        var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 15_000) == 1 else { throw failure("no connection from the floor's program") }
        let descriptor = Glibc.accept(listener, nil, nil)
        guard descriptor >= 0 else { throw failure("accept") }
        return BlockingSocket(descriptor: descriptor)
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { rest in
                Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Self.failure("send") }
            sent += count
        }
    }

    /// Reads what is there, at least one byte, to `place` of the buffer and on; gives how many.
    func receive(into buffer: inout [UInt8], at place: Int) throws -> Int {
        let count = buffer.withUnsafeMutableBytes { bytes in
            recv(descriptor, bytes.baseAddress.map { $0 + place }, bytes.count - place, 0)
        }
        guard count > 0 else { throw Self.failure("receive") }
        return count
    }

    private static func failure(_ what: String) -> EngineError {
        EngineError(.internalFault, "\(what): \(SystemError.words(errno))")
    }
}
