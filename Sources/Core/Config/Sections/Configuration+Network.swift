extension Configuration {
    /// What sandboxes reach besides themselves.
    public struct Network: Sendable, Hashable {
        /// The modes that jobs may ask for, besides `none` and that of the section `sandbox`.
        public var allow: [Sandbox.NetworkMode] = [.none]
        /// The mode `egress`.
        public var egress = Egress()
        /// The ports of the host that the mode `host_gateway` offers.
        public var hostPorts: [HostPort] = []
        /// The connections to the host that one sandbox may have at a time.
        public var hostConnections = 64

        /// The section with every value at its default.
        public init() {}

        /// Every mode that a sandbox of a job can get, with the configured default.
        func modes(besides standard: Sandbox.NetworkMode) -> Set<Sandbox.NetworkMode> {
            Set(allow).union([.none, standard])
        }
    }
}

extension Configuration.Network {
    /// The mode `egress`: public addresses only.
    public struct Egress: Sendable, Hashable {
        /// Ranges of addresses that are reached although they are private, as `10.1.0.0/16`.
        public var allow: [String] = []
        /// The name servers of the sandboxes; empty for those of the container engine.
        public var dns: [String] = []

        /// The section with every value at its default.
        public init() {}
    }

    /// A port of the host.
    public struct HostPort: Sendable, Hashable {
        /// What it is, for messages and logs.
        public var name: String
        /// Its number on 127.0.0.1 of the host, and in the sandbox.
        public var port: Int

        /// Names a port.
        public init(name: String = "", port: Int = 0) {
            self.name = name
            self.port = port
        }
    }
}

extension Configuration.Network: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "allow", \.allow, .list(.choice, max: 16),
            "Network modes that jobs may ask for. none and the mode of sandbox.network can always be had.",
            tune: "Add egress for tasks that call public services, host_gateway for those that use a service of this "
                + "machine. Add bridge only where every tenant is trusted.")
        Field.section("egress", \.egress, "The mode egress: public addresses only. It needs root and iptables.")
        Field.list(
            "host_ports", \.hostPorts, max: 64, new: { _ in HostPort() },
            "Ports on 127.0.0.1 of the host that sandboxes of the mode host_gateway reach as "
                + "host.docker.internal:PORT.",
            tune: "List the port of a model server: {name: ollama, port: 11434}. Whatever listens there is open to "
                + "every job that may ask for the mode.")
        Field.value(
            "host_connections", \.hostConnections, .integer(1...400),
            "Connections to these ports that one sandbox may have at a time. Further ones are closed at once.",
            tune: "Raise it for tasks that ask a server many things at the same time.")
    }

    package func check() -> [ConfigurationConflict] {
        var seen: (names: Set<String>, ports: Set<Int>) = ([], [])
        var conflicts: [ConfigurationConflict] = []
        for (index, item) in hostPorts.enumerated() {
            if !seen.names.insert(item.name).inserted {
                conflicts.append(
                    .init("host_ports[\(index)].name", message: "is the name of an earlier port, too: \(item.name)"))
            }
            if !seen.ports.insert(item.port).inserted {
                conflicts.append(.init("host_ports[\(index)].port", message: "stands twice: \(item.port)"))
            }
        }
        if allow.contains(.hostGateway), hostPorts.isEmpty {
            conflicts.append(.init("allow", with: "host_ports", message: "has host_gateway, but host_ports is empty"))
        }
        return conflicts
    }
}

extension Configuration.Network.Egress: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "allow", \.allow, .list(.addressRange, max: 256),
            "Ranges of addresses that sandboxes reach although they are private, link-local or reserved. A range opens "
                + "no address of the host itself; a single one, as 10.0.0.5/32, does.",
            tune: "List the inner services that tasks need, each as narrow as can be.")
        Field.value(
            "dns", \.dns, .list(.address, max: 3),
            "Name servers of the sandboxes, of which port 53 is reached wherever they are. Empty: those of the host.",
            tune: "Name a public or filtering one, so that tasks do not learn inner names.")
    }
}

extension Configuration.Network.HostPort: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "name", \.name, .word("a name such as ollama", extra: "-_", max: 63), "What listens there.",
            tune: "Name it as the people who read the log know it.", required: true)
        Field.value(
            "port", \.port, .integer(1...65_535), "Its port.",
            tune: "Give the one that the service listens on at 127.0.0.1.", required: true)
    }
}

extension FieldType where Value == String {
    /// An IPv4 address.
    static var address: FieldType {
        text("an IPv4 address such as 9.9.9.9", max: 15) { AddressRange($0 + "/32") != nil }
    }

    /// A range of IPv4 addresses.
    static var addressRange: FieldType {
        text("a range of IPv4 addresses such as 10.1.0.0/16", max: 18) { AddressRange($0) != nil }
    }
}
