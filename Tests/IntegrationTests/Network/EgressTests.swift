import Foundation
import SlipwayCore
import TestSupport
import Testing

/// What tasks of these tests do.
enum NetworkTasks {
    /// Tries to connect to each address; answers what it read there, or how it failed.
    static let connect = """
        import socket, struct
        def gateway():
            for line in open("/proc/net/route").read().splitlines()[1:]:
                words = line.split()
                if words[1] == "00000000":
                    return socket.inet_ntoa(struct.pack("<L", int(words[2], 16)))
        def main(targets):
            answers = {}
            for host, port in targets:
                name = "%s:%d" % (host, port)
                try:
                    with socket.create_connection((gateway() if host == "gateway" else host, port), 0.7) as line:
                        line.settimeout(2)
                        answers[name] = "open " + line.recv(100).decode()
                except OSError as error:
                    answers[name] = type(error).__name__
            return answers
        """

    /// Listens on every address of its sandbox, says where, and answers one who comes.
    static let listen = """
        import socket, time
        def main():
            probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            probe.connect(("11.0.0.1", 9))
            listener = socket.create_server(("0.0.0.0", 7777))
            print(probe.getsockname()[0], flush=True)
            listener.settimeout(300)
            try:
                line, _ = listener.accept()
            except OSError:
                return "alone"
            line.sendall(b"hello")
            return "visited"
        """

    /// What of IPv6 there is: addresses besides the loopback, and whether an address of the host answers.
    static let sixthVersion = """
        import socket
        def main(address):
            lines = open("/proc/net/if_inet6").read().splitlines()
            found = [line for line in lines if not line.endswith(" lo")]
            try:
                socket.create_connection((address, 22), 1).close()
                found.append("connected")
            except OSError:
                pass
            return found
        """

    static let resolve = """
        import socket
        def main(name):
            return socket.gethostbyname(name)
        """
}

extension LiveSandboxes {
    /// The network mode `egress`, against real listeners on every side.
    @Suite(
        "Network mode egress", .serialized,
        .enabled("needs a container engine, root, ip and iptables") { hasContainers() && OutsideHost.isPossible })
    struct EgressTests {
        private static func start(
            allow: [String] = [], dns: [String] = [], _ tweak: (inout Configuration) -> Void = { _ in }
        ) async throws -> TestEngine {
            try await TestEngine.start("docker") { configuration in
                configuration.network.allow = [.none, .egress]
                configuration.network.egress.allow = allow
                configuration.network.egress.dns = dns
                configuration.pools.defaults.minIdle = 0
                tweak(&configuration)
            }
        }

        /// Runs the connecting task; answers by target.
        private func answers(
            _ engine: TestEngine, _ targets: [(String, Int)], tenant: TenantID = .default, pids: Int? = nil
        ) async throws -> [String: String] {
            let list = JSONValue.array(targets.map { .array([.string($0.0), .integer(Int64($0.1))]) })
            var request = JobRequest(task: .source(NetworkTasks.connect, args: [list]))
            request.network = "egress"
            request.resources.pids = pids
            let outcome = try await engine.engine.submit(request, tenant: tenant, waitingUpTo: .seconds(60))
            guard outcome.job.state == .completed, case .object(let members)? = outcome.value else {
                throw TestFailure(outcome.summary)
            }
            return Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.value.text ?? "") })
        }

        private func stop(_ engine: TestEngine) async throws {
            try await engine.shutdownLeavingNothing()
            let networks = try await ContainerEngine.withClient {
                try await $0.listNetworks(labels: [DockerRuntime.engineLabel: engine.engineID])
            }
            #expect(networks.isEmpty, "networks are left")
            let rules = EgressRules(engineID: engine.engineID, allow: [], nameServers: [])
            for tool in ["iptables", "ip6tables"] {
                let listed = try await Shell.run(tool, "-t", "raw", "-S")
                #expect(!listed.contains(rules.chain) && !listed.contains(rules.interfacePrefix), "rules are left")
            }
        }

        @Test("the host, private and link-local addresses are closed; public ones, and what is allowed, are open")
        func reach() async throws {
            let outside = try await OutsideHost()
            let listener = try HostListener()
            let engine = try await Self.start()
            let own = HostListener.addresses()
            #expect(own.count >= 3, "the host's addresses are found")
            let closed =
                [("gateway", listener.port), ("169.254.169.254", 80), (outside.privateAddress, outside.port)]
                + own.filter { !$0.hasPrefix("127.") }.map { ($0, listener.port) }
            let open = (outside.publicAddress, outside.port)
            let answers = try await answers(engine, closed + [open, ("127.0.0.1", listener.port)])
            for target in closed { #expect(answers["\(target.0):\(target.1)"] == "TimeoutError", "\(target)") }
            #expect(answers["\(open.0):\(open.1)"] == "open outside")
            #expect(answers["127.0.0.1:\(listener.port)"] == "ConnectionRefusedError")
            #expect(listener.visitors == [])
            try await stop(engine)

            let wider = try await Self.start(allow: ["10.254.0.0/16", "10.192.0.0/10"])
            let targets = [(outside.privateAddress, outside.port), ("gateway", listener.port)]
            let again = try await self.answers(wider, targets + own.map { ($0, listener.port) })
            #expect(again["\(outside.privateAddress):\(outside.port)"] == "open outside")
            #expect(again.values.count { $0.hasPrefix("open") } == 1, "a range opens no address of the host: \(again)")
            #expect(listener.visitors == [])
            try await stop(wider)
            listener.stop()
            try await outside.remove()
        }

        @Test("sandboxes reach no other sandbox, neither of their tenant nor of another")
        func neighbours() async throws {
            let engine = try await Self.start { $0.pools.defaults.max = 3 }
            var request = JobRequest(task: .source(NetworkTasks.listen))
            request.network = "egress"
            let listener = try await engine.engine.submit(request)
            let address = try await eventually("the listener says where it is", within: .seconds(90)) {
                let lines = try await engine.logs(listener.id).split(separator: "\n")
                return lines.first.map(String.init)
            }
            let other = try #require(TenantID("other"))
            for tenant in [TenantID.default, other] {
                let answers = try await answers(engine, [(address, 7777)], tenant: tenant)
                #expect(answers == ["\(address):7777": "TimeoutError"], "from \(tenant)")
            }
            let names = try await ContainerEngine.withClient {
                try await $0.listNetworks(labels: [DockerRuntime.engineLabel: engine.engineID])
            }.compactMap { $0.labels?[EgressNetworks.tenantLabel] }
            #expect(Set(names) == ["default", "other"])
            try await engine.engine.cancel(listener.id)
            try await stop(engine)
        }

        @Test("builders in such a network reach what tasks in it reach")
        func builders() async throws {
            let outside = try await OutsideHost()
            let listener = try HostListener()
            let folder = try TemporaryFolder()
            let targets = [
                ("gateway", listener.port), ("169.254.169.254", 80), (outside.privateAddress, outside.port),
                (outside.publicAddress, outside.port),
            ]
            let list = targets.map { "('\($0.0)', \($0.1))" }.joined(separator: ", ")
            let wheels = try WheelFolder.make(in: folder.path + "/wheels")
            try WheelFolder.addSource(
                "slipspy",
                backend: NetworkTasks.connect + """

                    def build_wheel(folder, *_):
                        return wheel(folder, {"slipspy.py": "report = " + repr(main([\(list)]))})
                    """, to: wheels)
            let engine = try await Self.start {
                $0.network.allow = [.none]
                $0.environments.network = "egress"
                $0.environments.findLinks = [wheels]
                $0.environments.indexURL = "http://127.0.0.1:9/simple"
            }
            var request = JobRequest(task: .source("import slipspy\ndef main(): return slipspy.report"))
            request.requirements = ["slipspy"]
            let outcome = try await engine.engine.submit(request, waitingUpTo: .seconds(120))
            guard case .object(let members)? = outcome.value else { throw TestFailure(outcome.summary) }
            let answers = Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.value.text ?? "") })
            for target in targets.dropLast() {
                #expect(answers["\(target.0):\(target.1)"] == "TimeoutError", "\(target)")
            }
            #expect(answers["\(outside.publicAddress):\(outside.port)"] == "open outside", "\(answers)")
            #expect(listener.visitors == [])
            // Jobs may still not ask for the mode themselves.
            request.network = "egress"
            await #expect { _ = try await engine.engine.submit(request) } throws: {
                ($0 as? EngineError)?.code == .notAllowed
            }
            try await stop(engine)
            listener.stop()
            try await outside.remove()
        }

        @Test("there is no IPv6 in a sandbox")
        func sixthVersion() async throws {
            let engine = try await Self.start()
            let outcome = try await engine.run(source: NetworkTasks.sixthVersion, args: [.string("fd00::2")]) {
                $0.network = "egress"
            }
            #expect(outcome.value == [], "\(outcome.summary)")
            try await stop(engine)
        }

        @Test("names are resolved by the configured server, of which only port 53 is open")
        func names() async throws {
            let outside = try await OutsideHost()
            let engine = try await Self.start(dns: [outside.privateAddress])
            let outcome = try await engine.run(source: NetworkTasks.resolve, args: [.string("outside.test")]) {
                $0.network = "egress"
            }
            #expect(outcome.value == .string(outside.privateAddress), "\(outcome.summary)")
            let server = (outside.privateAddress, outside.port)
            #expect(try await answers(engine, [server]).values.elementsEqual(["TimeoutError"]))
            try await stop(engine)
            try await outside.remove()
        }

        @Test("rules that somebody removed are there again before the next start, and soon without one")
        func restored() async throws {
            let listener = try HostListener()
            let engine = try await Self.start()
            let rules = EgressRules(engineID: engine.engineID, allow: [], nameServers: [])
            _ = try await answers(engine, [("gateway", listener.port)])
            let before = try await Shell.run("iptables", "-t", "raw", "-S")
            try await Shell.run("iptables", "-t", "raw", "-F", rules.chain)
            let answers = try await answers(engine, [("gateway", listener.port)], pids: 100)
            #expect(answers.values.elementsEqual(["TimeoutError"]))
            #expect(try await Shell.run("iptables", "-t", "raw", "-S") == before)
            try await Shell.run("iptables", ["-t", "raw", "-D"] + rules.jump)
            try await waitUntil("the rules are set again", within: .seconds(20)) {
                try await Shell.run("iptables", "-t", "raw", "-S") == before
            }
            #expect(listener.visitors == [])
            listener.stop()
            try await stop(engine)
        }

        @Test("a sandbox whose packets get past the rules is not used, and the job says why")
        func bypassed() async throws {
            let engine = try await Self.start { $0.pools.defaults.startBackoff = .milliseconds(10) }
            let rules = EgressRules(engineID: engine.engineID, allow: [], nameServers: [])
            let hole = ["PREROUTING", "-i", rules.interfacePrefix + "+", "-j", "ACCEPT"]
            try await Shell.run("iptables", ["-t", "raw", "-I"] + hole)
            let outcome: JobOutcome
            do {
                outcome = try await engine.run(source: "def main(): return 1") { $0.network = "egress" }
            } catch {
                try await Shell.run("iptables", ["-t", "raw", "-D"] + hole)
                throw error
            }
            try await Shell.run("iptables", ["-t", "raw", "-D"] + hole)
            #expect(outcome.job.error?.kind == .startFailed, "\(outcome.summary)")
            #expect(outcome.job.error?.message.contains("could reach") == true, "\(outcome.summary)")
            let mended = try await engine.run(source: "def main(): return 1") { $0.network = "egress" }
            #expect(mended.value == 1, "\(mended.summary)")
            try await stop(engine)
        }
    }
}
