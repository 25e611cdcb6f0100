import Foundation
import SlipwayCore
import TestSupport

/// Another machine, as far as sandboxes can tell: a network namespace with a public and a private address, behind
/// routes of this machine, in which a real server listens.
final class OutsideHost: Sendable {
    /// Whether one can be made here: as root, with the tools.
    static let isPossible: Bool = {
        let tools = ["/usr/sbin/ip", "/usr/sbin/iptables"]
        return geteuid() == 0 && tools.allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// An address of the public range that nobody near here has.
    let publicAddress: String
    let privateAddress: String
    /// Where it answers connections with `outside`; on port 53 it answers questions for names.
    let port = 8099
    private let name: String
    private let server: Process

    /// Makes it and waits until it listens.
    init() async throws {
        let number = Int.random(in: 1...250)
        name = "slwt\(number)\(UInt16.random(in: 0...999))"
        publicAddress = "11.255.\(number).2"
        privateAddress = "10.254.\(number).2"
        let (near, far) = (name + "a", name + "b")
        try await Shell.run("ip", "netns", "add", name)
        try await Shell.run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
        try await Shell.run("ip", "link", "set", far, "netns", name)
        for (host, guest) in [("11.255.\(number).1", publicAddress), ("10.254.\(number).1", privateAddress)] {
            try await Shell.run("ip", "addr", "add", host + "/30", "dev", near)
            try await Shell.run("ip", "-n", name, "addr", "add", guest + "/30", "dev", far)
        }
        try await Shell.run("ip", "link", "set", near, "up")
        try await Shell.run("ip", "-n", name, "link", "set", far, "up")
        server = try Shell.start(
            "ip", "netns", "exec", name, "python3", "-c", Self.program, privateAddress, "\(port)")
        let address = publicAddress
        try await waitUntil("the outside host listens") { Connection.opens(address, 8099) }
    }

    /// Removes all of it.
    func remove() async throws {
        // It inherited the signals that the test's thread blocks.
        kill(server.processIdentifier, SIGKILL)
        server.waitUntilExit()
        // Its interfaces go with it.
        try await Shell.run("ip", "netns", "del", name)
    }

    private static let program = """
        import socket, sys, threading
        def names():
            line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            line.bind(("0.0.0.0", 53))
            while True:
                data, peer = line.recvfrom(512)
                end = data.index(b"\\0", 12) + 5
                kind = data[end - 3]
                head = data[:2] + b"\\x81\\x80" + data[4:6] + (b"\\0\\1" if kind == 1 else b"\\0\\0") + b"\\0\\0\\0\\0"
                answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x05\\0\\4" + socket.inet_aton(sys.argv[1])
                line.sendto(head + data[12:end] + (answer if kind == 1 else b""), peer)
        threading.Thread(target=names, daemon=True).start()
        listener = socket.create_server(("0.0.0.0", int(sys.argv[2])), backlog=64)
        while True:
            line, _ = listener.accept()
            line.sendall(b"outside")
            line.close()
        """
}

/// Tools of the system.
enum Shell {
    static func start(_ words: String...) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Runs a tool to its end and gives its output; throws when it fails.
    @discardableResult
    static func run(_ words: String...) async throws -> String {
        try await run(words[0], Array(words.dropFirst()))
    }

    /// Runs a tool to its end and gives its output; throws when it fails.
    @discardableResult
    static func run(_ tool: String, _ arguments: [String]) async throws -> String {
        let words = [tool] + arguments
        let (code, text) = try await result(words)
        guard code == 0 else { throw TestFailure("\(words.joined(separator: " ")): \(text)") }
        return text
    }

    /// Runs a tool to its end and gives its status and all its output.
    static func result(_ words: [String], environment: [String: String]? = nil) async throws -> (Int32, String) {
        try await onThread {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = words
            if let environment { process.environment = environment }
            let output = Pipe()
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let data = try output.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: data, as: UTF8.self))
        }
    }
}

/// One connection over TCP.
enum Connection {
    /// Whether something accepts connections at an address.
    static func opens(_ address: String, _ port: Int) -> Bool {
        let line = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(line) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = UInt16(port).bigEndian
        guard inet_pton(AF_INET, address, &name.sin_addr) == 1 else { return false }
        return withUnsafePointer(to: name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                connect(line, raw, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
