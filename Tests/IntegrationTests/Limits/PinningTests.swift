import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// The processors of sandboxes whose tasks keep them busy; a machine with one has nothing to choose from.
    @Suite(
        "Busy sandboxes", .serialized, .enabled("no container engine answers", hasContainers),
        .enabled(if: ProcessInfo.processInfo.activeProcessorCount > 1, "this machine has one processor"),
        .engines {
            $0.pools.defaults.max = 1
            $0.pools.defaults.minIdle = 0
        })
    struct PinningTests {
        /// Processes that spin, and how many processors they may use, looked at until it is the wanted number.
        private static let hog = """
            import os, time
            def main(wanted, seconds, spins=True):
                children = []
                for _ in range(4):
                    pid = os.fork()
                    if pid == 0:
                        while spins: pass
                        time.sleep(60)
                    children.append(pid)
                end = time.monotonic() + seconds
                while len(os.sched_getaffinity(0)) != wanted and time.monotonic() < end: time.sleep(0.02)
                for pid in children: os.kill(pid, 9)
                return len(os.sched_getaffinity(0))
            """
        /// Spins until it is kept to one processor, and says to which.
        private static let place = """
            import os, time
            def main(seconds):
                end = time.monotonic() + seconds
                while len(os.sched_getaffinity(0)) != 1 and time.monotonic() < end: pass
                return sorted(os.sched_getaffinity(0))
            """
        private static let short = "import os\ndef main(): return len(os.sched_getaffinity(0))"

        private func hog(_ engine: TestEngine, waitsFor wanted: Int, seconds: Double, spins: Bool = true) async throws
            -> Int
        {
            let outcome = try await engine.run(
                source: Self.hog, args: [.integer(Int64(wanted)), .number(seconds), .bool(spins)])
            return Int(try #require(outcome.value?.double, "\(outcome.summary)"))
        }

        private func withEngine(
            _ change: (inout Configuration) -> Void, _ body: (TestEngine) async throws -> Void
        ) async throws {
            let engine = try await TestEngine.start("docker", tweak: change)
            do {
                try await body(engine)
            } catch {
                _ = try? await engine.shutdown()
                throw error
            }
            try await engine.shutdownLeavingNothing()
        }

        private func processors(_ engine: TestEngine) async throws -> Int {
            let outcome = try await engine.run(source: Self.short)
            return Int(try #require(outcome.value?.double, "\(outcome.summary)"))
        }

        @Test("it is kept to as many processors as it may use, until its tasks are short again")
        func pinned() async throws {
            let engine = try await sharedEngine("docker")
            let all = try await processors(engine)
            try #require(all > 1)
            #expect(try await hog(engine, waitsFor: 1, seconds: 30) == 1)
            #expect(await engine.engine.metricsText().contains("\nslipway_sandboxes_pinned 1\n"))
            // The next task is short, but the sandbox was busy a moment ago.
            #expect(try await processors(engine) == 1)
            try await waitUntil("it may use all processors again") { try await processors(engine) == all }
            #expect(await engine.engine.metricsText().contains("\nslipway_sandboxes_pinned 0\n"))
        }

        @Test(
            "it may use all of them again also where nothing runs in it any more, and takes none from others until then"
        )
        func pinnedAndIdle() async throws {
            try await withEngine({ $0.pools.defaults.max = 2 }) { engine in
                func kept(_ tenant: String) async throws -> JSONValue {
                    let request = JobRequest(task: .source(Self.place, args: [.number(20)]))
                    let outcome = try await engine.engine.submit(
                        request, tenant: try #require(TenantID(tenant)), waitingUpTo: .seconds(60))
                    return try #require(outcome.value, "\(outcome.summary)")
                }
                let first = try await kept("ann")
                #expect(try await kept("bob") == first, "the first one has nothing to do")
                try await waitUntil("both may use all processors again") {
                    await engine.engine.metricsText().contains("\nslipway_sandboxes_pinned 0\n")
                }
            }
        }

        @Test("a task that waits for long leaves it as it is")
        func idle() async throws {
            let engine = try await sharedEngine("docker")
            try await waitUntil("no test before this one matters") { try await processors(engine) > 1 }
            #expect(try await hog(engine, waitsFor: 1, seconds: 1.5, spins: false) > 1)
        }

        @Test("sandbox.pin_busy: false leaves every sandbox as it is")
        func off() async throws {
            try await withEngine({ $0.sandbox.pinBusy = false }) { engine in
                let found = try await hog(engine, waitsFor: 1, seconds: 1.5)
                #expect(found > 1)
            }
        }

        @Test("a sandbox that may use all processors is not kept to any")
        func whole() async throws {
            let count = Double(ProcessInfo.processInfo.activeProcessorCount)
            try await withEngine({ $0.sandbox.cpus = count }) { engine in
                let found = try await hog(engine, waitsFor: 1, seconds: 1.5)
                #expect(found == Int(count))
            }
        }
    }
}
