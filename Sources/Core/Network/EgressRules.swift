import Crypto

/// The rules of the packet filter for the sandboxes of mode `egress`, as text; nothing here touches the system.
///
/// They stand in the table `raw`, before routing and address translation, and match by the name of the interface: all
/// bridges of one engine's tenants begin with the same letters. So one chain serves every tenant, nothing that the
/// container engine sets up or resets comes before it, and addresses that are translated later are judged as they are
/// asked for.
package struct EgressRules: Sendable, Equatable {
    /// One rule of the chain.
    package struct Rule: Sendable, Equatable {
        /// What `iptables-restore` is given after the name of the chain.
        package var text: String
        /// What it drops; nil for a rule that lets pass.
        package var drops: String?
    }

    /// What is dropped unless it is allowed: every range that is not public (the special-purpose registry of IANA,
    /// RFC 6890), multicast and the reserved rest.
    package static let closed: [(range: String, name: String)] = [
        ("0.0.0.0/8", "this network"), ("10.0.0.0/8", "private"), ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"), ("169.254.0.0/16", "link-local"), ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "special purpose"), ("192.0.2.0/24", "documentation"), ("192.88.99.0/24", "special purpose"),
        ("192.168.0.0/16", "private"), ("198.18.0.0/15", "benchmarks"), ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"), ("224.0.0.0/4", "multicast"), ("240.0.0.0/4", "reserved"),
    ]
    /// What the rule for the host's own addresses drops.
    package static let host = "host"
    /// What the rule for link-local addresses drops.
    package static let linkLocal = "link-local"

    /// The chain of this engine.
    package let chain: String
    /// What the names of this engine's bridges begin with.
    package let interfacePrefix: String
    /// The chain's rules, in order.
    package let rules: [Rule]
    private let allowed: [AddressRange]
    private let comment: String

    /// Makes the rules of an engine.
    ///
    /// - Parameters:
    ///   - allow: Ranges that are reached although they are closed; a single address may also be one of the host.
    ///   - nameServers: Addresses of which port 53 is reached wherever they are.
    package init(engineID: String, allow: [String], nameServers: [String]) {
        let hash = Self.hash(engineID)
        chain = "SLIPWAY-" + hash.prefix(12)
        interfacePrefix = "sw" + hash.prefix(5)
        comment = "slipway " + engineID
        let ranges = allow.compactMap { AddressRange($0) }
        allowed = ranges
        let servers = nameServers.compactMap { AddressRange($0 + "/32") }
        var rules: [Rule] = []
        for server in servers {
            for kind in ["udp", "tcp"] {
                rules.append(Rule(text: "-d \(server) -p \(kind) -m \(kind) --dport 53 -j RETURN"))
            }
        }
        rules += ranges.filter(\.isSingle).map { Rule(text: "-d \($0) -j RETURN") }
        rules.append(Rule(text: "-m addrtype --dst-type LOCAL -j DROP", drops: Self.host))
        rules += ranges.filter { !$0.isSingle }.map { Rule(text: "-d \($0) -j RETURN") }
        rules += Self.closed.map { Rule(text: "-d \($0.range) -j DROP", drops: $0.name) }
        self.rules = rules
    }

    /// The interface of a tenant's network; names of interfaces have at most 15 bytes.
    package func interface(of tenant: String) -> String {
        interfacePrefix + Self.hash(tenant).prefix(8)
    }

    /// Whether an address that is no address of the host, or is one and stands alone, was allowed.
    package func opens(_ address: String) -> Bool {
        guard let wanted = AddressRange(address + "/32") else { return false }
        let isLinkLocal = AddressRange("169.254.0.0/16")?.contains(wanted) ?? false
        return allowed.contains { isLinkLocal ? $0.contains(wanted) : $0 == wanted }
    }

    /// What `iptables-restore --noflush` makes the chain of, in one step.
    package var chainText: String {
        let lines = rules.map { "-A \(chain) \($0.text)" }
        return (["*raw", ":\(chain) - [0:0]"] + lines + ["COMMIT", ""]).joined(separator: "\n")
    }

    /// The rule that sends the sandboxes' packets into the chain.
    package var jump: [String] {
        ["PREROUTING", "-i", interfacePrefix + "+", "-m", "comment", "--comment", comment, "-j", chain]
    }

    /// The rule that drops everything of IPv6 from the sandboxes.
    package var sixthVersionDrop: [String] {
        ["PREROUTING", "-i", interfacePrefix + "+", "-m", "comment", "--comment", comment, "-j", "DROP"]
    }

    private static func hash(_ text: String) -> String {
        SHA256.hash(data: Array(text.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
