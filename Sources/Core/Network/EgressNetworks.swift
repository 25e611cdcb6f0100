import Foundation
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The networks of the mode `egress`: one for each tenant, with the firewall rules that close it.
///
/// The container engine makes the networks and keeps their containers from each other; what it cannot do, keeping them
/// from the host and from private addresses, is done by rules of the packet filter, which are set before the first
/// network is made, compared with what was set before every start, and tried out from inside every sandbox.
package actor EgressNetworks {
    /// A tenant's network that exists.
    package struct Network: Sendable, Hashable {
        /// What containers name it by.
        package var id: String
        /// The host's address in it.
        package var gateway: String
        package var tenant: String
    }

    /// The label that names the tenant of a network.
    package static let tenantLabel = "slipway.tenant"
    /// How long a network without sandboxes stays.
    private static let idleTime = Duration.seconds(30)
    private static let probeLimit = Duration.seconds(3)
    /// How long a mode that cannot be had is taken as such before it is tried again.
    private static let refusalTime = Duration.seconds(30)
    /// Stands for a tenant where networks are tried out.
    private static let checkTenant = ".check"

    private let client: DockerClient
    private let engineID: String
    private let settings: Configuration.Network.Egress
    private let hostServers: @Sendable () -> [String]
    private let logger: Logger
    /// The name servers that the rules are for.
    private var nameServers: [String]
    private var rules: EgressRules
    private var filter: PacketFilter?
    /// The rules as the kernel showed them when they had been set.
    private var expected: [String] = []
    /// Sandboxes that are being started, by tenant: their networks must stay.
    private var holds: [String: Int] = [:]
    private var lastUses: [String: ContinuousClock.Instant] = [:]
    /// When a mode that cannot be had is tried again.
    private var nextTry = ContinuousClock.now
    private var lastStep: Task<Void, Never>?
    private nonisolated let refusal = Mutex<String?>("it has not been set up yet")

    /// - Parameter hostServers: Finds the name servers of this machine; nil reads its files.
    package init(
        client: DockerClient, engineID: String, settings: Configuration.Network.Egress,
        hostServers: (@Sendable () -> [String])? = nil, logger: Logger
    ) {
        self.client = client
        self.engineID = engineID
        self.settings = settings
        self.logger = logger
        let find: @Sendable () -> [String]
        if let hostServers { find = hostServers } else { find = { NameServers.ofHost() } }
        self.hostServers = find
        let servers = settings.dns.isEmpty ? find() : settings.dns
        nameServers = servers
        rules = EgressRules(engineID: engineID, allow: settings.allow, nameServers: servers)
    }

    /// Why the mode cannot be had at present; nil where it can.
    package nonisolated var fault: String? { refusal.withLock { $0 } }

    /// Sets the rules and sees whether the container engine's bridges are of this machine's network.
    package func prepare() async {
        await step { networks in
            do {
                try await networks.checkEngine()
                try await networks.ensureRules()
                if networks.fault != nil { try await networks.tryBridge() }
                networks.note(nil)
            } catch {
                networks.note((error as? EngineError)?.message ?? "\(error)")
            }
        }
    }

    /// Gives the network of a tenant, made where it is missing, with its rules in place; `release` ends the hold on it.
    package func acquire(tenant: String) async throws -> Network {
        holds[tenant, default: 0] += 1
        do {
            return try await step { networks in
                try await networks.checkEngine()
                try await networks.ensureRules()
                let network = try await networks.ensureNetwork(of: tenant)
                networks.note(nil)
                return network
            }
        } catch {
            release(tenant: tenant)
            if let failure = error as? EngineError, failure.code == .notSupported { note(failure.message) }
            throw error
        }
    }

    /// Ends a hold: the sandbox runs, or it does not start any more.
    package func release(tenant: String) {
        holds[tenant, default: 1] -= 1
        if holds[tenant] == 0 { holds[tenant] = nil }
        lastUses[tenant] = .now
    }

    /// Tries from inside a sandbox what must fail, and sees that it was the rules that stopped it.
    ///
    /// - Throws: `.startFailed` when the host can be reached or the packets did not meet the rules.
    package func verify(_ network: Network, processID: Int32) async throws {
        guard let filter else { throw EngineError(.startFailed, "the firewall rules are not set") }
        let listener = try ProbeListener(address: network.gateway)
        let probe = NetworkProbe(processID: processID)
        // Those of this moment: others may be set while the probe is under way.
        let rules = rules
        let targets = [
            (address: network.gateway, port: listener.port, drop: EgressRules.host),
            (address: "169.254.169.254", port: 80, drop: EgressRules.linkLocal),
        ]
        for target in targets where !rules.opens(target.address) {
            guard let place = rules.rules.firstIndex(where: { $0.drops == target.drop }) else { continue }
            let before = try await filter.counters(rules)
            let outcome = try await probe.connect(
                to: target.address, port: target.port, limit: Self.probeLimit,
                isEnough: { try await Self.hasCounted(filter, rules, place, since: before) })
            let isCounted = try await Self.hasCounted(filter, rules, place, since: before)
            guard outcome == .silent, isCounted else {
                throw EngineError(
                    .startFailed,
                    outcome == .connected
                        ? "a sandbox of the network mode egress could reach \(target.address), so it was removed"
                        : "the firewall rules of the network mode egress do not see the sandbox's packets (\(outcome))")
            }
        }
    }

    /// Sets rules again that somebody removed, and removes networks that nobody uses; where the mode cannot be had, sees
    /// every half a minute whether it can by now.
    package func maintain() async {
        await step { networks in
            do {
                let isTried = networks.isTryDue()
                let all = try await networks.own()
                guard !all.isEmpty || isTried else { return }
                if isTried { try await networks.checkEngine() }
                try await networks.ensureRules()
                if isTried {
                    try await networks.tryBridge()
                    networks.note(nil)
                }
                for network in all { try await networks.removeIfUnused(network, after: Self.idleTime) }
            } catch {
                networks.noteFailedMaintenance(error)
            }
        }
    }

    /// Removes the networks without sandboxes, and the rules when no network is left.
    package func close() async {
        await step { networks in
            do {
                for network in try await networks.own() { try await networks.removeIfUnused(network, after: .zero) }
                guard try await networks.own().isEmpty else { return }
                try await networks.filter?.remove(networks.rules)
            } catch {
                networks.logger.warning(
                    "networks or firewall rules could not be removed", metadata: ["reason": "\(error)"])
            }
        }
    }

    // MARK: Steps

    /// Runs one piece of work after the one before it, since each leaves the actor while tools run.
    private func step<Value: Sendable>(
        _ body: @escaping @Sendable (isolated EgressNetworks) async throws -> Value
    ) async throws -> Value {
        let earlier = lastStep
        let work = Task {
            await earlier?.value
            return try await body(self)
        }
        lastStep = Task { _ = await work.result }
        return try await work.value
    }

    private func step(_ body: @escaping @Sendable (isolated EgressNetworks) async -> Void) async {
        let earlier = lastStep
        let work = Task {
            await earlier?.value
            await body(self)
        }
        lastStep = work
        await work.value
    }

    /// Podman makes networks whose containers reach each other, with a warning.
    private func checkEngine() async throws {
        guard try await client.podman() == nil else {
            throw EngineError(
                .notSupported,
                "Podman does not know the option that keeps the sandboxes of a network from each other: run such jobs on "
                    + "Docker (docker.host), or with the network mode none or host_gateway")
        }
    }

    /// Takes over the machine's name servers, which another network of the machine may have changed.
    private func followNameServers() {
        guard settings.dns.isEmpty else { return }
        let servers = hostServers()
        // A file that is being written names none for a moment.
        guard !servers.isEmpty, servers != nameServers else { return }
        logger.notice(
            "the name servers of this machine changed, and the firewall rules with them",
            metadata: ["servers": "\(servers.joined(separator: ", "))"])
        nameServers = servers
        rules = EgressRules(engineID: engineID, allow: settings.allow, nameServers: servers)
        expected = []
    }

    private func ensureRules() async throws {
        followNameServers()
        let filter = try filter ?? PacketFilter()
        self.filter = filter
        if !expected.isEmpty {
            if try await filter.listing(rules) == expected { return }
            logger.warning("the firewall rules of the network mode egress were changed and are set again")
        }
        try await filter.apply(rules)
        let listing = try await filter.listing(rules)
        guard listing.contains(where: { $0.hasSuffix("-j \(rules.chain)") }),
            try await filter.counters(rules).count == rules.rules.count
        else {
            throw EngineError(.notSupported, "the firewall rules were set, and the kernel does not show them")
        }
        expected = listing
    }

    private func ensureNetwork(of tenant: String) async throws -> Network {
        let name = "slipway-\(engineID.prefix(8))-\(tenant)"
        let interface = rules.interface(of: tenant)
        let spec = NetworkSpec(
            name: name, labels: [DockerRuntime.engineLabel: engineID, Self.tenantLabel: tenant],
            options: Self.options(interface: interface))
        var found = try await client.inspectNetwork(name)
        if found == nil {
            try await create(spec)
            found = try await client.inspectNetwork(name)
            if tenant != Self.checkTenant {
                logger.info("made a network", metadata: ["network": "\(name)", "tenant": "\(tenant)"])
            }
        }
        guard let details = found, details.labels?[DockerRuntime.engineLabel] == engineID,
            spec.options.allSatisfy({ details.options?[$0.key] == $0.value }), details.hasIPv6 != true,
            let gateway = details.addressing?.configurations?.compactMap(\.gateway).first
        else {
            throw EngineError(
                .startFailed, "the network \(name) exists and is not as the mode egress needs it: remove it")
        }
        try checkInterface(interface)
        lastUses[tenant] = .now
        // Docker writes the prefix behind the gateway's address in some releases.
        let address = gateway.split(separator: "/").first.map(String.init) ?? gateway
        return Network(id: details.id, gateway: address, tenant: tenant)
    }

    private func create(_ spec: NetworkSpec) async throws {
        do {
            try await client.createNetwork(spec)
        } catch let error as EngineError where error.message.contains("address pool") {
            throw EngineError(
                .startFailed,
                "the container engine has no range of addresses left for the network of a tenant: enlarge "
                    + "default-address-pools in its daemon.json, or remove networks that nobody uses", cause: error)
        }
    }

    /// Rules for interfaces of this machine say nothing about an engine that makes its bridges elsewhere.
    private func checkInterface(_ interface: String) throws {
        // Asked by a socket: /sys may show another network than the one that this process is in.
        guard if_nametoindex(interface) != 0 else {
            throw EngineError(
                .notSupported,
                "the container engine makes its networks on another machine, or the engine runs in a container with a "
                    + "network of its own: run it on the container engine's machine, or with its network")
        }
    }

    /// Makes a network for a moment, to find out before the first job whether it would be of use.
    private func tryBridge() async throws {
        let tenant = Self.checkTenant
        do {
            let network = try await ensureNetwork(of: tenant)
            try await client.removeNetwork(network.id)
        } catch {
            try await client.removeNetwork("slipway-\(engineID.prefix(8))-\(tenant)")
            throw error
        }
    }

    private func own() async throws -> [NetworkDetails] {
        try await client.listNetworks(labels: [DockerRuntime.engineLabel: engineID])
            .filter { $0.labels?[Self.tenantLabel] != nil }
    }

    private func removeIfUnused(_ network: NetworkDetails, after idle: Duration) async throws {
        guard let tenant = network.labels?[Self.tenantLabel] else { return }
        let isRecent = lastUses[tenant].map { ContinuousClock.now - $0 < idle } ?? false
        guard !isRecent, holds[tenant] == nil else { return }
        guard let details = try await client.inspectNetwork(network.id), details.containers?.isEmpty != false else {
            return
        }
        // A sandbox may have come while the engine was asked.
        guard holds[tenant] == nil else { return }
        if try await client.removeNetwork(network.id) {
            lastUses[tenant] = nil
            logger.info("removed a network", metadata: ["network": "\(network.name)", "tenant": "\(tenant)"])
        }
    }

    // MARK: Helpers

    private static func hasCounted(
        _ filter: PacketFilter, _ rules: EgressRules, _ place: Int, since before: [Int]
    ) async throws -> Bool {
        let now = try await filter.counters(rules)
        return now.indices.contains(place) && before.indices.contains(place) && now[place] > before[place]
    }

    private static func options(interface: String) -> [String: String] {
        [
            "com.docker.network.bridge.name": interface, "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.enable_ip_masquerade": "true",
        ]
    }

    /// Whether the mode cannot be had, and is to be tried again now.
    private func isTryDue() -> Bool {
        guard fault != nil, nextTry <= .now else { return false }
        nextTry = .now + Self.refusalTime
        return true
    }

    private func note(_ fault: String?) {
        let before = refusal.withLock { value in
            defer { value = fault }
            return value
        }
        guard before != fault else { return }
        if let fault {
            logger.error("the network mode egress cannot be had", metadata: ["reason": "\(fault)"])
        } else {
            logger.notice("the network mode egress can be had", metadata: ["rules": "\(rules.chain)"])
        }
    }

    private func noteFailedMaintenance(_ error: any Error) {
        if let failure = error as? EngineError, failure.code == .notSupported {
            note(failure.message)
        } else {
            logger.warning("networks could not be looked after", metadata: ["reason": "\(error)"])
        }
    }
}
