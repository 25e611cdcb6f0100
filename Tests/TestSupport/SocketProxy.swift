import Foundation
import Synchronization

/// Relays a unix socket to another one, and can be taken away and put back, as an engine that is restarted.
package final class SocketProxy: Sendable {
    package let path: String
    private let target: String
    /// The port that it listens at instead of the path: 0 before the first start, -1 for a path.
    private let port: Mutex<Int>
    private let state = Mutex<(listener: Int32, connections: Set<Int32>)>((-1, []))

    package init(path: String, target: String) {
        self.path = path
        self.target = target
        port = Mutex(-1)
    }

    /// Relays a port of this machine, which stays the same when it is taken away and put back.
    package init(portTo target: String) {
        path = ""
        self.target = target
        port = Mutex(0)
    }

    /// The port, after the first start.
    package var portNumber: Int { port.withLock { $0 } }

    deinit { stop() }

    /// Listens, and relays every connection on threads of its own.
    package func start() throws {
        let listener = try listen()
        state.withLock { $0.listener = listener }
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                guard let self else {
                    close(client)
                    return
                }
                self.relay(client)
            }
        }
    }

    /// Ends every connection and removes the socket.
    package func stop() {
        let (listener, open) = state.withLock { state in
            defer { state = (-1, []) }
            return (state.listener, state.connections)
        }
        guard listener >= 0 else { return }
        // A blocked accept or recv returns; the threads close what they hold.
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        for descriptor in open { shutdown(descriptor, Int32(SHUT_RDWR)) }
        if portNumber < 0 { unlink(path) }
    }

    private func listen() throws -> Int32 {
        if portNumber < 0 { return try SocketAddress.listen(path: path) }
        return try port.withLock { number in
            let made = try SocketAddress.listen(port: number)
            number = made.port
            return made.descriptor
        }
    }

    private func relay(_ client: Int32) {
        guard let server = try? SocketAddress.connect(path: target) else {
            close(client)
            return
        }
        state.withLock { $0.connections.formUnion([client, server]) }
        let shared = Relay(client: client, server: server) { [weak self] in
            self?.state.withLock { $0.connections.subtract([client, server]) }
        }
        Thread.detachNewThread { shared.copy(from: client, to: server) }
        Thread.detachNewThread { shared.copy(from: server, to: client) }
    }
}

/// The two directions of one relayed connection.
private final class Relay: Sendable {
    private let ends = Mutex(0)
    private let client: Int32
    private let server: Int32
    private let finished: @Sendable () -> Void

    init(client: Int32, server: Int32, finished: @escaping @Sendable () -> Void) {
        self.client = client
        self.server = server
        self.finished = finished
    }

    func copy(from source: Int32, to target: Int32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        loop: while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            var offset = 0
            while offset < count {
                let sent = buffer[offset..<count].withUnsafeBytes {
                    Glibc.send(target, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard sent > 0 else { break loop }
                offset += sent
            }
        }
        shutdown(target, Int32(SHUT_WR))
        let isLast = ends.withLock { count in
            count += 1
            return count == 2
        }
        if isLast {
            finished()
            close(client)
            close(server)
        }
    }
}
