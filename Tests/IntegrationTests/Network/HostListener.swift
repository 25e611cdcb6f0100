import Foundation
import Synchronization
import TestSupport

/// Listens on all addresses of this machine and counts who comes.
final class HostListener: Sendable {
    let port: Int
    private let socket: Int32
    private let peers = Mutex<[String]>([])

    init() throws {
        let made = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                var length = size
                return bind(made, raw, size) == 0 && listen(made, 64) == 0 && getsockname(made, raw, &length) == 0
            }
        }
        guard made >= 0, isBound else { throw TestFailure("cannot listen") }
        socket = made
        port = Int(UInt16(bigEndian: name.sin_port))
        Thread.detachNewThread { [self] in accept() }
    }

    /// The addresses of those that came.
    var visitors: [String] { peers.withLock { $0 } }

    func stop() { shutdown(socket, Int32(SHUT_RDWR)) }

    private func accept() {
        while true {
            var name = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let line = withUnsafeMutablePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.accept(socket, $0, &size) }
            }
            guard line >= 0 else { break }
            let bytes = withUnsafeBytes(of: name.sin_addr.s_addr) { $0.map(String.init) }
            peers.withLock { $0.append(bytes.joined(separator: ".")) }
            close(line)
        }
        close(socket)
    }

    /// Every IPv4 address of this machine.
    static func addresses() -> [String] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        return sequence(first: first, next: { $0?.pointee.ifa_next }).compactMap { entry in
            guard let address = entry?.pointee.ifa_addr, address.pointee.sa_family == UInt16(AF_INET) else {
                return nil
            }
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { name in
                withUnsafeBytes(of: name.pointee.sin_addr.s_addr) { $0.map(String.init) }.joined(separator: ".")
            }
        }
    }
}
