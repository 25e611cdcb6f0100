import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// Containers that somebody else kills, pauses or removes.
    @Suite(
        "Faults of containers", .serialized, .enabled("no container engine answers", hasContainers), .engines())
    struct ContainerFaultTests {
        /// What somebody does to a container behind the engine's back.
        enum Harm: String, CaseIterable, Sendable {
            case kill, remove, pause, stop

            func inflict(on container: String) async throws {
                let path =
                    switch self {
                    case .kill: "/containers/\(container)/kill?signal=SIGKILL"
                    case .remove: "/containers/\(container)?force=true&v=true"
                    case .pause: "/containers/\(container)/pause"
                    case .stop: "/containers/\(container)/kill?signal=SIGSTOP"
                    }
                let socket = try #require(ContainerEngine.socketPath)
                let response = try await HTTPClient(.unix(socket)).send(
                    self == .remove ? "DELETE" : "POST", path, headers: [("Content-Length", "0")])
                #expect(response.status < 300, "\(response.text)")
            }
        }

        private static let sleeper = "import time\ndef main():\n    print('up', flush=True)\n    time.sleep(20)"

        @Test(
            "a container that is killed, removed or paused underneath costs its task only",
            arguments: [Harm.kill, .remove, .pause])
        func busy(_ harm: Harm) async throws {
            let engine = try await sharedEngine("docker")
            let job = try await engine.engine.submit(JobRequest(task: .source(Self.sleeper)))
            try await waitUntil("the task is up") { try await engine.logs(job.id) == "up\n" }
            let sandbox = try #require(try await engine.engine.job(job.id).sandbox)
            let container = try #require(try await ContainerEngine.container(ofSandbox: sandbox))
            try await harm.inflict(on: container.id)
            let outcome = try await engine.end(of: job.id, within: .seconds(15))
            #expect(outcome.job.error?.kind == .lost, "\(outcome.summary)")
            #expect(try await engine.logs(job.id) == "up\n")
            #expect(try await engine.run(source: "def main(): return 1").value == 1)
            try await waitUntil("the container is gone") {
                try await ContainerEngine.container(ofSandbox: sandbox) == nil
            }
        }

        @Test("a task that may be tried again is, elsewhere")
        func retried() async throws {
            let engine = try await sharedEngine("docker")
            let code = """
                import os, time
                def main():
                    print('up', flush=True)
                    if os.environ['SLIPWAY_ATTEMPT'] == '1': time.sleep(20)
                    return os.environ['SLIPWAY_ATTEMPT']
                """
            var request = JobRequest(task: .source(code))
            request.retry = .init(maxAttempts: 2, backoff: .milliseconds(10))
            let job = try await engine.engine.submit(request)
            try await waitUntil("the task is up") { try await engine.logs(job.id) == "up\n" }
            let first = try #require(try await engine.engine.job(job.id).sandbox)
            try await Harm.kill.inflict(on: try #require(try await ContainerEngine.container(ofSandbox: first)).id)
            let outcome = try await engine.end(of: job.id)
            #expect(outcome.value == "2", "\(outcome.summary)")
            #expect(outcome.job.sandbox != first)
        }

        @Test("idle sandboxes that vanish are replaced before anybody suffers", arguments: [Harm.kill, .remove])
        func idle(_ harm: Harm) async throws {
            let engine = try await sharedEngine("docker")
            _ = try await engine.run(source: "def main(): return 1")
            for container in try await ContainerEngine.containers(of: engine.engineID)
            where container.status == .running { try await harm.inflict(on: container.id) }
            for _ in 0..<3 {
                let outcome = try await engine.run(source: "def main(): return 1")
                #expect(outcome.value == 1, "\(outcome.summary)")
            }
        }

        @Test("a supervisor that somebody stopped is given up after its silence")
        func silent() async throws {
            let engine = try await TestEngine.start("docker") {
                $0.runner.silence = .seconds(5)
                $0.pools.defaults.max = 1
            }
            let job = try await engine.engine.submit(JobRequest(task: .source(Self.sleeper)))
            try await waitUntil("the task is up") { try await engine.logs(job.id) == "up\n" }
            let sandbox = try #require(try await engine.engine.job(job.id).sandbox)
            try await Harm.stop.inflict(on: try #require(try await ContainerEngine.container(ofSandbox: sandbox)).id)
            let outcome = try await engine.end(of: job.id, within: .seconds(20))
            #expect(outcome.job.error?.kind == .lost, "\(outcome.summary)")
            #expect(try await engine.run(source: "def main(): return 1").value == 1)
            try await engine.shutdownLeavingNothing()
        }

        @Test("an engine takes back what an earlier one on its folder left")
        func reconciled() async throws {
            let first = try await TestEngine.start("docker")
            _ = try await first.run(source: "def main(): return 1")
            let stray = ContainerEngine.self
            let name = "slipway-stray-\(UInt32.random(in: 0 ... .max))"
            var spec = ContainerSpec(image: "slipway/python:3.11")
            spec.entrypoint = ["python3"]
            spec.command = ["-c", "import time; time.sleep(600)"]
            spec.labels = [
                DockerRuntime.engineLabel: first.engineID, DockerRuntime.sandboxLabel: "\(SandboxID())",
            ]
            let made = spec
            try await stray.withClient { client in
                _ = try await client.createContainer(name: name, made)
                try await client.startContainer(name)
            }
            #expect(try await first.shutdown().count == 1)
            let second = try await TestEngine.start("docker", in: first.folder)
            #expect(second.engineID == first.engineID)
            #expect(try await second.run(source: "def main(): return 2").value == 2)
            try await second.shutdownLeavingNothing()
        }
    }
}
