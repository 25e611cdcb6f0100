import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// What the walls of a sandbox are, as the kernel and the container engine tell it.
    @Suite(
        "Walls of a sandbox", .serialized, .enabled("no container engine answers", hasContainers),
        .engines { $0.pools.defaults.max = 1 })
    struct HardeningTests {
        /// `KILL`, `SETGID` and `SETUID` (capability.h: 5, 6 and 7).
        private static let supervisorsCapabilities = "00000000000000e0"

        @Test("the supervisor can get three capabilities and no more, a task has none, neither can gain any")
        func capabilities() async throws {
            let code = """
                NAMES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
                def status(process):
                    with open("/proc/%s/status" % process) as file:
                        told = dict(line.split(":", 1) for line in file)
                    return {name: told[name].strip() for name in NAMES}
                def main():
                    return {"task": status("self"), "supervisor": status("1")}
                """
            let outcome = try await sharedEngine("docker").run(source: code)
            let value = try #require(outcome.value, "\(outcome.summary)")
            let none = JSONValue.string(String(repeating: "0", count: 16))
            for process in ["task", "supervisor"] {
                let told = try #require(value[process])
                #expect(told["CapBnd"] == .string(Self.supervisorsCapabilities), "\(process): \(told)")
                #expect(told["CapAmb"] == none, "\(process): \(told)")
                #expect(told["NoNewPrivs"] == "1", "\(process): \(told)")
                #expect(told["Seccomp"] == "2", "\(process): \(told)")
            }
            for name in ["CapInh", "CapPrm", "CapEff"] { #expect(value["task"]?[name] == none, "\(name)") }
            #expect(value["supervisor"]?["CapEff"] == .string(Self.supervisorsCapabilities))
        }

        @Test("there is no network but the sandbox's own loopback, and no address of the host is reached")
        func network() async throws {
            let code = """
                import errno, socket
                def main(addresses, port):
                    # What some kernels put into every network namespace; without an address it leads nowhere.
                    idle = ("tunl", "sit", "ip6tnl", "gre", "erspan", "ip_vti", "ip6_vti", "ip6gre")
                    with open("/proc/net/dev") as table:
                        names = [line.split(":")[0].strip() for line in table if ":" in line]
                    with open("/proc/net/route") as table:
                        routes = table.read().splitlines()[1:]
                    answers = []
                    for address in addresses:
                        try:
                            socket.create_connection((address, port), 2).close()
                            answers.append("open")
                        except OSError as error:
                            answers.append(errno.errorcode.get(error.errno, type(error).__name__))
                    return [[name for name in names if not name.startswith(idle)], routes, answers]
                """
            let listener = try HostListener()
            defer { listener.stop() }
            // The gateway of the container engine's bridge is among them, where the engine runs on this machine.
            let addresses = HostListener.addresses().filter { !$0.hasPrefix("127.") }
            try #require(!addresses.isEmpty)
            let outcome = try await sharedEngine("docker").run(
                source: code, args: [.array(addresses.map(JSONValue.string)), .integer(Int64(listener.port))])
            let refusals = JSONValue.array(addresses.map { _ in "ENETUNREACH" })
            let expected: JSONValue = [["lo"], [], refusals]
            #expect(outcome.value == expected, "\(outcome.summary) \(addresses)")
            #expect(listener.visitors == [])
            // The listener does answer there.
            for address in addresses { #expect(Connection.opens(address, listener.port), "\(address)") }
        }

        @Test("the container engine made the container as it was asked to")
        func container() async throws {
            let engine = try await sharedEngine("docker")
            let outcome = try await engine.run(source: "def main(): return 1")
            let sandbox = try #require(outcome.job.sandbox)
            let found = try #require(try await ContainerEngine.container(ofSandbox: sandbox))
            let client = HTTPClient(.unix(try #require(ContainerEngine.socketPath)))
            let answer = try await client.send("GET", "/containers/\(found.id)/json")
            let told = try JSONValue(parsing: answer.body)
            let host = try #require(told["HostConfig"], "\(answer.text)")
            #expect(host["Privileged"] == false && host["ReadonlyRootfs"] == true)
            #expect(host["NetworkMode"] == "none" && host["IpcMode"] == "private")
            #expect(host["PidMode"] == "" && host["UTSMode"] == "")
            #expect(host["Memory"] == host["MemorySwap"])
            #expect(host["Devices"]?.elements.isEmpty ?? true)
            #expect(host["DeviceRequests"]?.elements.isEmpty ?? true)
            let mounts = try #require(told["Mounts"]).elements
            #expect(!mounts.isEmpty)
            for mount in mounts {
                let source = try #require(mount["Source"]?.text)
                #expect(mount["RW"] == false, "\(source) can be written")
                #expect(source.hasPrefix(engine.folder.path), "\(source) is none of the engine's folders")
            }
        }

        @Test("the seccomp profile that the configuration names holds in the sandbox")
        func seccomp() async throws {
            let code = """
                import errno, os
                def main():
                    answers = []
                    for make in (lambda: os.symlink("a", "b"), lambda: os.mkdir("c")):
                        try:
                            make()
                            answers.append("made")
                        except OSError as error:
                            answers.append(errno.errorcode[error.errno])
                    return answers
                """
            let usual: JSONValue = ["made", "made"]
            let outcome = try await sharedEngine("docker").run(source: code)
            #expect(outcome.value == usual, "\(outcome.summary)")
            let folder = try TemporaryFolder()
            let file = try folder.write(
                "seccomp.json",
                #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["symlink","symlinkat"],"#
                    + #""action":"SCMP_ACT_ERRNO","errnoRet":1}]}"#)
            let engine = try await TestEngine.start("docker") {
                $0.sandbox.seccomp = file
                $0.pools.defaults.minIdle = 0
            }
            let denied: JSONValue = ["EPERM", "made"]
            let other = try await engine.run(source: code)
            #expect(other.value == denied, "\(other.summary)")
            try await engine.shutdownLeavingNothing()
        }
    }
}
