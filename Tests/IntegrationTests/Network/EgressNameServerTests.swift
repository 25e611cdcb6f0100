import Foundation
import SlipwayCore
import Synchronization
import TestSupport
import Testing

extension LiveSandboxes {
    /// Name servers of a machine that changes its network while the engine runs.
    @Suite(
        "Name servers of the network mode egress", .serialized,
        .enabled("needs a container engine, root, ip and iptables") { hasContainers() && OutsideHost.isPossible })
    struct EgressNameServerTests {
        private final class Machine: Sendable {
            private let servers = Mutex(["10.9.8.7"])
            var nameServers: [String] { servers.withLock { $0 } }
            func change(to wanted: [String]) { servers.withLock { $0 = wanted } }
        }

        @Test("the rules let sandboxes ask the name servers that the machine has now")
        func followed() async throws {
            let (machine, engineID) = (Machine(), UUID().uuidString.lowercased())
            try await ContainerEngine.withClient { client in
                let networks = EgressNetworks(
                    client: client, engineID: engineID, settings: .init(), hostServers: { machine.nameServers },
                    logger: TestEngine.logger())
                do {
                    try await follow(machine, networks, engineID)
                } catch {
                    await networks.close()
                    throw error
                }
                await networks.close()
            }
            let chain = EgressRules(engineID: engineID, allow: [], nameServers: []).chain
            let left = try await Shell.run("iptables", "-t", "raw", "-S")
            #expect(!left.contains(chain), "rules are left")
        }

        private func follow(_ machine: Machine, _ networks: EgressNetworks, _ engineID: String) async throws {
            let chain = EgressRules(engineID: engineID, allow: [], nameServers: []).chain
            await networks.prepare()
            #expect(networks.fault == nil)
            let first = try await Shell.run("iptables", "-t", "raw", "-S", chain)
            #expect(first.contains("-d 10.9.8.7/32 -p udp"), "\(first)")
            machine.change(to: ["10.9.8.6"])
            _ = try await networks.acquire(tenant: "ann")
            await networks.release(tenant: "ann")
            let second = try await Shell.run("iptables", "-t", "raw", "-S", chain)
            #expect(second.contains("-d 10.9.8.6/32 -p udp") && !second.contains("10.9.8.7"), "\(second)")
            machine.change(to: [])
            _ = try await networks.acquire(tenant: "ann")
            await networks.release(tenant: "ann")
            #expect(try await Shell.run("iptables", "-t", "raw", "-S", chain) == second)
        }
    }
}
