import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// Podman's socket in the place of Docker's.
    @Suite(
        "Podman", .serialized, .podman,
        .enabled("there is no podman, no root, or no engine to take the base image from", { PodmanEngine.isPossible }))
    struct PodmanTests {
        private func start(
            _ runtime: String, in folder: TemporaryFolder? = nil, tweak: (inout Configuration) -> Void = { _ in }
        ) async throws -> TestEngine {
            let podman = try await SharedPodman.engine()
            return try await TestEngine.start(runtime, in: folder) {
                $0.docker.host = podman.host
                $0.pools.defaults.max = 1
                $0.environments.network = "none"
                tweak(&$0)
            }
        }

        private func end(_ engine: TestEngine) async throws {
            await engine.engine.shutdown()
            let left = try await SharedPodman.engine().withClient { client in
                try await client.listContainers(labels: [DockerRuntime.engineLabel: engine.engineID]).flatMap(\.names)
            }
            #expect(left == [])
        }

        private func slipdemo() -> JobRequest {
            var request = JobRequest(task: .source("def main():\n    import slipdemo\n    return slipdemo.version"))
            request.requirements = ["slipdemo==1.0"]
            return request
        }

        /// What a task could plant a file in.
        private static let places = #"("/tmp", "/var/tmp", "/run", "/dev/shm")"#

        private static let plant = """
            import os
            def main():
                made = []
                for folder in \(places):
                    try:
                        open(folder + "/planted", "w").close()
                        made.append(folder)
                    except OSError:
                        pass
                return made
            """

        private static let look = """
            import os
            def main():
                return [f for f in \(places) if os.path.lexists(f + "/planted")]
            """

        private static let quota = """
            import os
            def main():
                for path in ("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"):
                    if os.path.exists(path):
                        return int(open(path).read().split()[0])
            """

        /// The numbers of system calls are those of x86-64.
        private static let leave = """
            import ctypes, platform, threading
            def main():
                libc = ctypes.CDLL(None, use_errno=True)
                calls = {"unshare": lambda: libc.unshare(0x10000000)}
                calls["mount"] = lambda: libc.mount(b"n", b"/tmp", b"tmpfs", 0, None)
                if platform.machine() == "x86_64":
                    calls["clone"] = lambda: libc.syscall(56, 0x10000011, 0, 0, 0, 0)
                    calls["keyctl"] = lambda: libc.syscall(250, 0, -3, 1)
                found = [name for name, call in calls.items() if call() != -1]
                thread = threading.Thread(target=found.append, args=("thread",))
                thread.start()
                thread.join()
                return found
            """

        @Test("tasks run warm, leave nothing behind, end in time, make no namespaces, and find their requirements")
        func tasks() async throws {
            let links = try TemporaryFolder()
            let wheels = try WheelFolder.make(in: links.path + "/wheels")
            let engine = try await start("docker") { $0.environments.findLinks = [wheels] }
            let planted = try await engine.run(source: Self.plant)
            #expect(planted.value == .array(["/tmp", "/var/tmp", "/dev/shm"]), "\(planted.summary)")
            let found = try await engine.run(source: Self.look)
            #expect(found.value == .array([]), "\(found.summary)")
            #expect(found.job.start == .warm)
            let slow = try await engine.run(source: "import time\ndef main(): time.sleep(60)") {
                $0.timeout = .milliseconds(500)
            }
            #expect(slow.job.error?.kind == .timeout, "\(slow.summary)")
            // Podman's own filter of system calls would let it.
            let left = try await engine.run(source: Self.leave)
            #expect(left.value == .array(["thread"]), "\(left.summary)")
            // Less than a sandbox starts with: it is set when the sandbox runs.
            let little = try await engine.run(source: Self.quota) { $0.resources.cpus = 0.1 }
            #expect(little.value == 10_000, "\(little.summary)")
            let installed = try await engine.run(slipdemo(), within: .seconds(120))
            #expect(installed.value == "1.0", "\(installed.summary)")
            try await end(engine)
        }

        @Test("requirements in a volume are installed once, and are there after a restart")
        func volume() async throws {
            let links = try TemporaryFolder()
            let wheels = try WheelFolder.make(in: links.path + "/wheels")
            let first = try await start("volumes") { $0.environments.findLinks = [wheels] }
            let installed = try await first.run(slipdemo(), within: .seconds(120))
            #expect(installed.value == "1.0", "\(installed.summary)")
            #expect(try await first.logs(installed.job.id, .build).contains("Successfully installed"))
            try await end(first)
            // Its reconciliation removed nothing of it.
            let second = try await start("volumes", in: first.folder) { $0.environments.findLinks = [wheels] }
            let again = try await second.run(slipdemo(), within: .seconds(120))
            #expect(again.value == "1.0", "\(again.summary)")
            #expect(try await second.logs(again.job.id, .build).isEmpty)
            try await end(second)
        }
    }
}

/// The Podman service that the tests of the suite share; it is started when it is first asked for.
private actor SharedPodman {
    @TaskLocal static var current: SharedPodman?

    private var started: PodmanEngine?

    static func engine() async throws -> PodmanEngine { try await #require(current).engine() }

    private func engine() async throws -> PodmanEngine {
        if let started { return started }
        let podman = try await PodmanEngine.start()
        started = podman
        return podman
    }

    func stop() async throws { try await started?.stop() }
}

/// Gives the suite its Podman service, and ends it.
struct PodmanTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let podman = SharedPodman()
        do {
            try await SharedPodman.$current.withValue(podman) { try await function() }
        } catch {
            try await podman.stop()
            throw error
        }
        try await podman.stop()
    }
}

extension Trait where Self == PodmanTrait {
    static var podman: Self { PodmanTrait() }
}
