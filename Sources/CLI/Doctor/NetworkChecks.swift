import Foundation
import SlipwayCore

/// Looks at what the configured network modes of sandboxes need.
struct NetworkChecks {
    let configuration: Configuration

    /// One finding for each mode that jobs can get, besides `none`.
    func findings() async -> [Finding] {
        let modes = Set(configuration.network.allow).union([configuration.sandbox.network])
        var findings: [Finding] = []
        if modes.contains(.egress) { findings.append(await egress()) }
        if modes.contains(.hostGateway) { findings += configuration.network.hostPorts.map(hostPort) }
        if modes.contains(.egress), ["bridge", "host"].contains(configuration.environments.network) {
            findings.append(
                .warn(
                    "network of builders",
                    "code of packages reaches the host and private networks while requirements are installed",
                    "set environments.network to egress, unless every tenant is trusted"))
        }
        if modes.contains(.bridge) {
            findings.append(
                .warn(
                    "network bridge", "jobs can reach the host, private networks and other containers",
                    "use egress or host_gateway in network.allow and sandbox.network, unless every tenant is trusted"))
        }
        return findings
    }

    private func egress() async -> Finding {
        let name = "network egress"
        do {
            try await PacketFilter().check()
        } catch {
            return .fail(
                name, CommandExit(error)?.message ?? "\(error)",
                "run the engine as root on the container engine's machine with iptables installed, or take egress out of "
                    + "network.allow")
        }
        let opened = configuration.network.egress.allow
        let text = "rules can be set; each sandbox is tried before it is used"
        return .ok(name, opened.isEmpty ? text : text + "; opened: " + opened.joined(separator: ", "))
    }

    private func hostPort(_ item: Configuration.Network.HostPort) -> Finding {
        let name = "host port \(item.name)"
        let address = "127.0.0.1:\(item.port)"
        guard Self.answers(UInt16(clamping: item.port)) else {
            return .warn(
                name, "nothing listens on \(address)", "start what network.host_ports names there, or change the port")
        }
        return .ok(name, "\(address), in sandboxes host.docker.internal:\(item.port)")
    }

    /// Whether a connection to a port of this machine's loopback succeeds.
    private static func answers(_ port: UInt16) -> Bool {
        let line = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard line >= 0 else { return false }
        defer { close(line) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                connect(line, raw, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
