import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// Pauses, slots, fair shares and reloads on engines of their own.
    @Suite("Life of pools", .serialized)
    struct PoolLifeTests {
        private static let one = "def main(): return 1"

        private func status(_ engine: TestEngine) async throws -> PoolStatus {
            try #require(await engine.engine.pools().first)
        }

        private func container(_ engine: TestEngine, _ sandbox: String?) async throws -> ContainerSummary? {
            try await ContainerEngine.container(ofSandbox: try #require(sandbox))
        }

        @Test(
            "a free sandbox is frozen, silent for longer than silence allows, and thawed for its next task",
            .enabled("no container engine answers", hasContainers))
        func pause() async throws {
            let engine = try await TestEngine.start("docker") {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.pauseAfter = .seconds(1)
                $0.runner.silence = .seconds(5)
            }
            let first = try await engine.run(source: Self.one)
            try await waitUntil("it is frozen") {
                try await container(engine, first.job.sandbox)?.status == .paused
            }
            #expect(try await status(engine).paused == 1)
            try await Task.sleep(for: .seconds(7))
            #expect(try await container(engine, first.job.sandbox)?.status == .paused)
            let second = try await engine.run(source: Self.one)
            #expect(second.value == 1 && second.job.start == .warm && second.job.sandbox == first.job.sandbox)
            #expect(try await status(engine).hits.resumed == 1)
            try await waitUntil("it is frozen again") {
                try await container(engine, first.job.sandbox)?.status == .paused
            }
            try await ContainerFaultTests.Harm.kill.inflict(
                on: try #require(try await container(engine, first.job.sandbox)).id)
            try await waitUntil("its death is noticed") { try await status(engine).paused == 0 }
            let third = try await engine.run(source: Self.one)
            #expect(third.value == 1 && third.job.sandbox != first.job.sandbox)
            try await waitUntil("it is frozen before the engine stops") { try await status(engine).paused == 1 }
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "a sandbox that somebody else thawed serves on, and one that somebody else froze is replaced",
            .enabled("no container engine answers", hasContainers))
        func thawing() async throws {
            let engine = try await TestEngine.start("docker") {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.pauseAfter = .seconds(1)
            }
            let first = try await engine.run(source: Self.one)
            try await waitUntil("it is frozen") { try await status(engine).paused == 1 }
            let core = try #require(try await container(engine, first.job.sandbox))
            // Somebody else thaws it: nothing is lost by that.
            try await ContainerEngine.withClient { try await $0.unpauseContainer(core.id) }
            let second = try await engine.run(source: Self.one)
            #expect(second.value == 1)
            try await engine.shutdownLeavingNothing()
            let other = try await TestEngine.start("docker") { $0.pools.defaults.minIdle = 0 }
            let third = try await other.run(source: Self.one)
            let frozen = try #require(try await container(other, third.job.sandbox))
            try await ContainerEngine.withClient { try await $0.pauseContainer(frozen.id) }
            try await waitUntil("the stranger's pause is noticed") { try await status(other).warm == 0 }
            #expect(try await other.run(source: Self.one).job.sandbox != third.job.sandbox)
            try await other.shutdownLeavingNothing()
        }

        private static let overlap = """
            import os, time
            def main(seconds):
                begun = time.time()
                open('mine', 'w').write('x')
                time.sleep(seconds)
                return [begun, time.time(), os.getuid(), os.getcwd(), len(os.listdir('.'))]
            """

        @Test("tasks share a sandbox side by side, each in its own slot", arguments: runtimesHere)
        func slots(_ runtime: String) async throws {
            let engine = try await TestEngine.start(runtime) {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.max = 1
                $0.pools.defaults.slots = 3
            }
            var jobs: [Job] = []
            for _ in 0..<3 {
                jobs.append(
                    try await engine.engine.submit(JobRequest(task: .source(Self.overlap, args: [.number(1.5)]))))
            }
            var rows: [[JSONValue]] = []
            var sandboxes: Set<String?> = []
            for job in jobs {
                let outcome = try await engine.end(of: job.id)
                guard case .array(let row)? = outcome.value else { throw TestFailure(outcome.summary) }
                rows.append(row)
                sandboxes.insert(outcome.job.sandbox)
            }
            #expect(sandboxes.count == 1)
            let (begins, ends) = (rows.compactMap { $0[0].seconds }, rows.compactMap { $0[1].seconds })
            #expect(try #require(begins.max()) < #require(ends.min()), "all three ran at one time")
            #expect(Set(rows.map { "\($0[3])" }).count == 3, "each has a folder of its own")
            #expect(rows.allSatisfy { $0[4] == 1 })
            if runtime == "docker" { #expect(Set(rows.map { "\($0[2])" }).count == 3, "each has a user of its own") }
            // A neighbour that is cancelled, fails or times out is nobody else's business.
            let steady = try await engine.engine.submit(JobRequest(task: .source(Self.overlap, args: [.number(2)])))
            let cancelled = try await engine.engine.submit(JobRequest(task: .source(Self.overlap, args: [.number(60)])))
            try await engine.reach(.running, cancelled.id)
            _ = try await engine.engine.cancel(cancelled.id)
            #expect(try await engine.end(of: cancelled.id).job.state == .cancelled)
            #expect(try await engine.run(source: "def main(): raise ValueError('no')").job.error?.kind == .exception)
            #expect(try await engine.end(of: steady.id).job.state == .completed)
            for _ in 0..<20 { #expect(try await engine.run(source: Self.one).value == 1) }
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "a sandbox that dies takes the tasks of all its slots with it, and only those",
            .enabled("no container engine answers", hasContainers))
        func slotsDie() async throws {
            let engine = try await TestEngine.start("docker") {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.max = 1
                $0.pools.defaults.slots = 2
            }
            let sleeper = "import time\ndef main():\n    print('up', flush=True)\n    time.sleep(30)"
            let jobs = [
                try await engine.engine.submit(JobRequest(task: .source(sleeper))),
                try await engine.engine.submit(JobRequest(task: .source(sleeper))),
            ]
            for job in jobs { try await waitUntil("it is up") { try await engine.logs(job.id) == "up\n" } }
            let sandbox = try await engine.engine.job(jobs[0].id).sandbox
            try await ContainerFaultTests.Harm.kill.inflict(on: try #require(try await container(engine, sandbox)).id)
            for job in jobs {
                let outcome = try await engine.end(of: job.id, within: .seconds(15))
                #expect(outcome.job.error?.kind == .lost, "\(outcome.summary)")
            }
            #expect(try await engine.run(source: Self.one).value == 1)
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "two tenants share a pool: neither waits for the other's queue, nor loses what is warm below its share",
            .enabled("no container engine answers", hasContainers))
        func fairness() async throws {
            let engine = try await TestEngine.start("docker") {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.max = 2
            }
            let (ann, bob) = (try #require(TenantID("ann")), try #require(TenantID("bob")))
            let work = JobRequest(task: .source("import time\ndef main():\n    time.sleep(0.3)"))
            var anns: [Job] = []
            for _ in 0..<24 { anns.append(try await engine.engine.submit(work, tenant: ann)) }
            try await waitUntil("ann has the whole pool") { try await status(engine).running == 2 }
            let first = try await engine.engine.submit(work, tenant: bob, waitingUpTo: .seconds(30))
            #expect(first.job.state == .completed)
            let left = try await engine.engine.jobs(JobQuery(states: [.queued]), tenant: ann).jobs.count
            #expect(left > 0, "bob did not wait for all of ann's jobs")
            for job in anns { _ = try await engine.engine.wait(for: job.id, tenant: ann, upTo: .seconds(60)) }
            // Each has one warm sandbox: bob may not take ann's for a second one of his own.
            let before = try await engine.engine.submit(work, tenant: ann, waitingUpTo: .seconds(30))
            async let one = engine.engine.submit(work, tenant: bob, waitingUpTo: .seconds(30))
            async let two = engine.engine.submit(work, tenant: bob, waitingUpTo: .seconds(30))
            _ = try await (one, two)
            let after = try await engine.engine.submit(work, tenant: ann, waitingUpTo: .seconds(30))
            #expect(after.job.start == .warm && before.job.state == .completed)
            let seen = try #require(await engine.engine.pools(for: bob).first)
            #expect(seen.hits.warm + seen.hits.stem + seen.hits.cold == 3, "bob sees his own leases only: \(seen)")
            try await engine.shutdownLeavingNothing()
        }

        @Test("classes that are dropped while they are filled leave no sandbox that no pool knows")
        func dropped() async throws {
            let engine = try await TestEngine.start("process") { configuration in
                configuration.pools.startingMax = 1
                configuration.pools.defaults.minIdle = 1
                configuration.pools.classes = (0..<6).map { number in
                    var dropped = PoolClass(name: "dropped\(number)", policy: configuration.pools.defaults)
                    dropped.memoryBytes = (300 + number) << 20
                    return dropped
                }
            }
            var wanted = engine.configuration
            wanted.pools.classes = []
            await engine.engine.reload(wanted)
            try await waitUntil("only the default class has one") {
                let supervisors = ProcessList.commandLines(containing: engine.folder.path).filter {
                    $0.contains("/supervisor.py")
                }
                let known = await engine.engine.pools().reduce(0) { $0 + $1.stem + $1.starting + $1.destroying }
                return known == 1 && supervisors.count == 1
            }
            try await engine.shutdownLeavingNothing()
        }

        @Test("a reload changes rules at once, and sandboxes of changed classes drain", arguments: runtimesHere)
        func reload(_ runtime: String) async throws {
            let engine = try await TestEngine.start(runtime) {
                $0.pools.defaults.minIdle = 0
                var small = PoolClass(name: "small", policy: $0.pools.defaults)
                small.memoryBytes = 300 << 20
                small.policy.minIdle = 1
                $0.pools.classes = [small]
            }
            let ask: @Sendable (inout JobRequest) -> Void = { $0.resources.memoryBytes = 200 << 20 }
            let first = try await engine.run(source: Self.one, ask)
            let long = try await engine.engine.submit(
                JobRequest(
                    task: .source(Self.overlap, args: [.number(4)]), resources: ResourceRequest(memoryBytes: 200 << 20))
            )
            try await engine.reach(.running, long.id)
            var wanted = engine.configuration
            wanted.pools.classes[0].memoryBytes = 320 << 20
            wanted.pools.defaults.max = 7
            wanted.jobs.queueMax += 1
            let report = await engine.engine.reload(wanted)
            #expect(report.ignored == ["jobs.queue_max"])
            #expect(Set(report.applied) == ["pools.classes", "pools.defaults.max"])
            let second = try await engine.run(source: Self.one, ask)
            #expect(second.value == 1 && second.job.sandbox != first.job.sandbox)
            #expect(try await engine.end(of: long.id).job.state == .completed, "a running task is not disturbed")
            try await waitUntil("nothing of the old class is left") {
                let pools = await engine.engine.pools()
                return pools.filter { $0.memoryBytes == 300 << 20 }
                    .allSatisfy { $0.warm + $0.stem + $0.busy + $0.starting + $0.destroying == 0 }
                    && pools.contains { $0.memoryBytes == 320 << 20 && $0.stem + $0.warm >= 1 }
            }
            try await engine.shutdownLeavingNothing()
        }
    }
}

extension JobRequest {
    fileprivate init(task: TaskSpec, resources: ResourceRequest) {
        self.init(task: task)
        self.resources = resources
    }
}

extension JSONValue {
    fileprivate var seconds: Double? {
        switch self {
        case .number(let value): value
        case .integer(let value): Double(value)
        case .null, .bool, .string, .array, .object: nil
        }
    }
}
