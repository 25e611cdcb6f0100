import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// Tasks that do what they should not: each hurts itself only, and the next one finds nothing of it.
    @Suite(
        "Hostile tasks", .serialized, .enabled("no container engine answers", hasContainers),
        .engines {
            // One sandbox: the next task runs where the hostile one ran, if that is still there.
            $0.pools.defaults.max = 1
            $0.sandbox.tmpBytes = 32 << 20
            // Room for as many small processes as there may be.
            $0.sandbox.memoryBytes = 320 << 20
        })
    struct HostileTests {
        private func run(_ task: HostileTask) async throws -> (TestEngine, JobOutcome) {
            let engine = try await sharedEngine("docker")
            let outcome = try await engine.run(source: task.code, within: .seconds(90)) { $0.timeout = task.timeout }
            return (engine, outcome)
        }

        private func check(_ task: HostileTask) async throws {
            let (engine, outcome) = try await run(task)
            #expect(outcome.job.error?.kind == task.kind, "\(outcome.summary)")
            if let code = task.exitCode { #expect(outcome.job.exitCode == code, "\(outcome.summary)") }
            if let value = task.value { #expect(outcome.value == value, "\(outcome.summary)") }
            try await Probe.check(engine, after: task.testDescription)
        }

        @Test("a bad end is named, and the next task runs", arguments: HostileTask.endings)
        func endings(_ task: HostileTask) async throws { try await check(task) }

        @Test("processes do not outlive their task", arguments: HostileTask.processes)
        func processes(_ task: HostileTask) async throws { try await check(task) }

        @Test("nothing that a task leaves is seen by the next", arguments: HostileTask.leftovers)
        func leftovers(_ task: HostileTask) async throws { try await check(task) }

        @Test("a task gets nowhere near the runner", arguments: HostileTask.attacks)
        func attacks(_ task: HostileTask) async throws {
            let before = try await sharedEngine("docker").run(source: "def main(): pass")
            try await check(task)
            let after = try await sharedEngine("docker").run(source: "def main(): pass")
            #expect(before.job.sandbox == after.job.sandbox, "the sandbox did not survive")
        }

        @Test("a task forges nothing", arguments: HostileTask.forgeries)
        func forgeries(_ task: HostileTask) async throws {
            try await task.checkForgesNothing(on: try await sharedEngine("docker"))
        }

        @Test("50 MB come back; more than the limit is refused with what to do")
        func largeResults() async throws {
            let engine = try await TestEngine.start("docker") { $0.pools.defaults.max = 1 }
            let large = try await engine.run(source: "def main(): return 'x' * (50 << 20)", within: .seconds(120))
            #expect(large.job.state == .completed, "\(large.summary)")
            #expect(large.result?.bytes.count == (50 << 20) + 2)
            let tooLarge = try await engine.run(source: "def main(): return 'x' * (65 << 20)", within: .seconds(120))
            #expect(tooLarge.job.error?.type == "ResultTooLarge", "\(tooLarge.summary)")
            try await Probe.check(engine, after: "a result that is too large")
            try await engine.shutdownLeavingNothing()
        }

        @Test("a result that cannot be pickled is an exception that says so")
        func unpicklable() async throws {
            let engine = try await sharedEngine("docker")
            // The pickle of (_thread.allocate_lock, (), {}): a lock cannot be pickled.
            let pickle = Array("(c_thread\nallocate_lock\n(t(dt.".utf8)
            let outcome = try await engine.run(JobRequest(task: .callable(pickle: pickle)))
            #expect(outcome.job.error?.kind == .exception, "\(outcome.summary)")
            #expect(outcome.job.error?.message.contains("cannot be pickled") == true)
            try await Probe.check(engine, after: "an unpicklable result")
        }

        @Test("names and labels with quotes, newlines and more are kept as they are")
        func names() async throws {
            let engine = try await sharedEngine("docker")
            let name = "it's \"quoted\"\n\\ $(id) \u{1F600} '; DROP TABLE jobs; --"
            let outcome = try await engine.run(source: "def main(): return 1") {
                $0.name = name
                $0.env = ["QUOTED": name]
            }
            #expect(outcome.value == 1, "\(outcome.summary)")
            #expect(try await engine.engine.job(outcome.job.id).name == name)
            #expect(try await engine.engine.jobs(JobQuery(name: name)).jobs.map(\.id) == [outcome.job.id])
        }

        @Test("the sandbox is the same one before and after ordinary tasks")
        func reuse() async throws {
            let engine = try await sharedEngine("docker")
            let first = try await engine.run(source: "def main(): return 1")
            let second = try await engine.run(source: "def main(): return 1")
            #expect(first.job.sandbox == second.job.sandbox)
            #expect(second.job.start == .warm)
        }
    }
}
