import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// What only sandboxes have whose channel is their standard input and output.
    @Suite(
        "Attached sandboxes", .serialized, .enabled("no container engine answers", hasContainers),
        .engines { $0.pools.defaults.max = 1 })
    struct AttachTests {
        @Test("a task gets nowhere near the runner", arguments: HostileTask.attacks)
        func attacks(_ task: HostileTask) async throws {
            let engine = try await sharedEngine("attach")
            let before = try await engine.run(source: "def main(): pass")
            let outcome = try await engine.run(source: task.code, within: .seconds(90)) { $0.timeout = task.timeout }
            #expect(outcome.value == task.value, "\(outcome.summary)")
            try await Probe.check(engine, after: task.testDescription)
            let after = try await engine.run(source: "def main(): pass")
            #expect(before.job.sandbox == after.job.sandbox, "the sandbox did not survive")
        }

        @Test("a task forges nothing", arguments: HostileTask.forgeries)
        func forgeries(_ task: HostileTask) async throws {
            try await task.checkForgesNothing(on: try await sharedEngine("attach"))
        }

        @Test("no process but the supervisor holds the channel, and nobody finds it by name")
        func descriptors() async throws {
            let engine = try await sharedEngine("attach")
            let code = """
                import os, time
                def main():
                    print("up", flush=True)
                    opened = []
                    for fd in range(300):
                        for flags in (os.O_RDONLY | os.O_NONBLOCK, os.O_WRONLY | os.O_NONBLOCK):
                            try:
                                os.open("/proc/1/fd/%d" % fd, flags); opened.append(fd)
                            except OSError:
                                pass
                    time.sleep(3)
                    own = sorted(os.readlink("/proc/self/fd/%s" % fd) for fd in ("0", "1", "2"))
                    return [opened, own]
                """
            let job = try await engine.engine.submit(JobRequest(task: .source(code)))
            try await waitUntil("the task is up") { try await engine.logs(job.id) == "up\n" }
            let sandbox = try #require(try await engine.engine.job(job.id).sandbox)
            let container = try #require(try await ContainerEngine.container(ofSandbox: sandbox))
            let details = try #require(
                try await ContainerEngine.withClient { try await $0.inspectContainer(container.id) })
            // The host's view. What the engine's shim, the parent, shares with the supervisor are its three streams.
            let supervisor = details.state.processID
            let own = try Descriptors(of: supervisor)
            #expect(own.target(0) == "/dev/null")
            #expect(own.target(1) == own.target(2), "what is printed goes where errors go")
            let shim = try #require(ProcessTable.parent(of: supervisor))
            let channel = try Descriptors(of: shim).pipes.intersection(own.pipes).subtracting([own.target(2)])
            #expect(channel.count == 2, "\(channel)")
            let everybody = ProcessTable.descendants(of: supervisor)
            #expect(everybody.count >= 2, "zygote and task are there")
            for process in everybody {
                #expect(try Descriptors(of: process).pipes.isDisjoint(with: channel), "process \(process)")
            }
            let outcome = try await engine.end(of: job.id)
            guard case .array(let parts)? = outcome.value else {
                Issue.record("\(outcome.summary)")
                return
            }
            #expect(parts.first == [], "a task opened a descriptor of the supervisor")
        }

        @Test("the engine's log of a container holds no frame")
        func noLog() async throws {
            let engine = try await sharedEngine("attach")
            let outcome = try await engine.run(source: "def main(): return 'planted-value'")
            let sandbox = try #require(outcome.job.sandbox)
            let container = try #require(try await ContainerEngine.container(ofSandbox: sandbox))
            try await ContainerEngine.withClient { client in
                _ = await #expect(throws: EngineError.self) { try await client.logs(container.id) }
            }
        }

        @Test("a connection that is cut under a running task is made again, and nothing is lost")
        func cut() async throws {
            let folder = try TemporaryFolder()
            let proxy = SocketProxy(
                path: folder.path + "/docker.sock", target: try #require(ContainerEngine.socketPath))
            try proxy.start()
            let engine = try await TestEngine.start("attach") {
                $0.docker.host = "unix://\(proxy.path)"
                $0.pools.defaults.max = 1
            }
            let code = """
                import time
                def main():
                    for i in range(60):
                        print("step", i, flush=True)
                        time.sleep(0.05)
                    return "whole"
                """
            _ = try await engine.run(source: "def main(): pass")
            let job = try await engine.engine.submit(JobRequest(task: .source(code)))
            for step in [5, 20, 35] {
                try await waitUntil("step \(step)") { try await engine.logs(job.id).contains("step \(step)\n") }
                proxy.stop()
                try await Task.sleep(for: .milliseconds(200))
                try proxy.start()
            }
            let outcome = try await engine.end(of: job.id)
            #expect(outcome.value == "whole", "\(outcome.summary)")
            #expect(outcome.job.attempt == 1)
            #expect(try await engine.logs(job.id) == (0..<60).map { "step \($0)\n" }.joined())
            #expect(try await engine.run(source: "def main(): return 1").value == 1)
            try await engine.shutdownLeavingNothing()
        }

        @Test("what an engine that was away kept is removed at the end")
        func kept() async throws {
            let folder = try TemporaryFolder()
            let proxy = SocketProxy(
                path: folder.path + "/docker.sock", target: try #require(ContainerEngine.socketPath))
            try proxy.start()
            let engine = try await TestEngine.start("attach") {
                $0.docker.host = "unix://\(proxy.path)"
                $0.pools.defaults.max = 1
            }
            #expect(try await engine.run(source: "def main(): return 1").value == 1)
            // The runner is compiled in a container of its own, soon after the first task.
            try await waitUntil("a helper is at work") {
                try await ContainerEngine.containers(of: engine.engineID).count > 1
            }
            proxy.stop()
            try await Task.sleep(for: .seconds(2))
            let back = Task {
                try await Task.sleep(for: .milliseconds(500))
                try proxy.start()
            }
            try await engine.shutdownLeavingNothing()
            try await back.value
        }

        @Test("a sandbox whose engine never comes back ends by itself")
        func orphan() async throws {
            let server = try RunningServer(
                yaml: """
                      transport: attach
                    runner:
                      redial: 3s

                    """)
            try await server.start()
            let task = #"{"task":{"type":"source","code":"def main(): return 1"}}"#
            let response = try await server.client.send("POST", "/v1/jobs?wait=60", body: task)
            #expect(try JSONValue(parsing: response.body)["state"] == "completed", "\(response.text)")
            try await server.kill()
            let id = try await server.engineID()
            #expect(try await ContainerEngine.containers(of: id).contains { $0.status == .running })
            try await waitUntil("the sandboxes have ended", within: .seconds(15)) {
                try await ContainerEngine.containers(of: id).allSatisfy { $0.status == .exited }
            }
            try await server.start()
            #expect(try await server.stop() == 0)
            #expect(try await ContainerEngine.containers(of: id).map(\.names) == [])
        }
    }
}

/// The open descriptors of a process, as the kernel lists them to root.
struct Descriptors {
    private let targets: [Int: String]

    init(of process: Int32) throws {
        let folder = "/proc/\(process)/fd"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        targets = Dictionary(
            names.compactMap { name in
                // One that was closed meanwhile is of no interest.
                guard let fd = Int(name),
                    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
                else { return nil }
                return (fd, target)
            }, uniquingKeysWith: { first, _ in first })
    }

    var pipes: Set<String> { Set(targets.values.filter { $0.hasPrefix("pipe:") }) }

    func target(_ fd: Int) -> String { targets[fd] ?? "" }
}
