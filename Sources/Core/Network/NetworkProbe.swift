import CShimLinux
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Tries to connect from inside a sandbox's network to an address that must not be reached.
///
/// A thread enters the network namespace of the sandbox's first process, so that what is tried is what a task could
/// try; nothing runs in the sandbox itself.
package struct NetworkProbe: Sendable {
    /// What became of a connection.
    package enum Outcome: Sendable, Equatable {
        case connected
        /// Nothing came back.
        case silent
        /// The system's own answer, such as that there is no route.
        case refused(Int32)
    }

    /// The sandbox's first process as the host sees it.
    package let processID: Int32

    package init(processID: Int32) { self.processID = processID }

    /// Connects to an IPv4 address; `isEnough` is asked while nothing comes back, and ends the wait.
    package func connect(
        to address: String, port: UInt16, limit: Duration, isEnough: @escaping @Sendable () async throws -> Bool
    ) async throws -> Outcome {
        let socket = try await open()
        defer { close(socket) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        guard inet_pton(AF_INET, address, &name.sin_addr) == 1 else {
            throw EngineError(.internalFault, "\(address) is not an address")
        }
        let status = withUnsafePointer(to: name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                Glibc.connect(socket, raw, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if status == 0 { return .connected }
        guard errno == EINPROGRESS else { return .refused(errno) }
        let deadline = ContinuousClock.now + limit
        repeat {
            let enough = try await isEnough()
            if let outcome = Self.state(of: socket) { return outcome }
            if enough { return .silent }
            try await Task.sleep(for: .milliseconds(20))
        } while ContinuousClock.now < deadline
        return .silent
    }

    /// How a pending connection ended; nil while it is pending.
    private static func state(of socket: Int32) -> Outcome? {
        var entry = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 0) > 0 else { return nil }
        var fault: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 else { return .refused(errno) }
        return fault == 0 ? .connected : .refused(fault)
    }

    /// A socket of the sandbox's network; it stays there whoever uses it.
    private func open() async throws -> Int32 {
        let path = "/proc/\(processID)/ns/net"
        return try await withCheckedThrowingContinuation { continuation in
            // The thread ends afterwards, so that no other work ever runs in that namespace.
            Thread.detachNewThread {
                continuation.resume(with: Result { try Self.openBlocking(path) })
            }
        }
    }

    private static func openBlocking(_ path: String) throws -> Int32 {
        let namespace = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard namespace >= 0 else { throw failure("cannot open \(path)") }
        defer { close(namespace) }
        guard setns(namespace, slipway_new_network) == 0 else { throw failure("cannot enter \(path)") }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let made = socket(AF_INET, type, 0)
        guard made >= 0 else { throw failure("cannot make a socket in \(path)") }
        return made
    }

    private static func failure(_ what: String) -> EngineError {
        EngineError(
            .notSupported, "the network of a sandbox cannot be verified: \(what): \(String(cString: strerror(errno)))")
    }
}

/// A listener of the host that nobody must reach from a sandbox.
package final class ProbeListener: Sendable {
    private let socket: Int32
    /// Where it listens.
    package let port: UInt16

    /// Listens on any free port of an address of the host.
    package init(address: String) throws {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let made = Glibc.socket(AF_INET, type, 0)
        guard made >= 0 else { throw EngineError(.notSupported, "cannot make a socket") }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &name) { pointer in
            guard inet_pton(AF_INET, address, &pointer.pointee.sin_addr) == 1 else { return false }
            return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                var length = size
                return bind(made, raw, size) == 0 && listen(made, 1) == 0 && getsockname(made, raw, &length) == 0
            }
        }
        guard isBound else {
            let reason = String(cString: strerror(errno))
            close(made)
            throw EngineError(
                .notSupported, "the network of a sandbox cannot be verified: cannot listen on \(address): \(reason)")
        }
        socket = made
        port = UInt16(bigEndian: name.sin_port)
    }

    deinit { close(socket) }
}
