import Dispatch
import SlipwayCore
import TestSupport
import Testing

/// What is seen while the container engine takes its time.
@Suite struct HeldEngineTests {
    /// Keeps answers back until it is opened.
    private final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)

        /// Waits until it is open.
        func pass() {
            semaphore.wait()
            semaphore.signal()
        }

        /// Lets through whoever waits, and whoever comes.
        func open() { semaphore.signal() }
    }

    @Test func theMetricsShowASandboxThatStartsAndTheJobThatWaitsForIt() async throws {
        let gate = Gate()
        let change: (inout Configuration) -> Void = {
            $0.pools.defaults.minIdle = 1
            $0.pools.defaults.max = 1
        }
        let answer: @Sendable (StubServer.Connection, String) -> Bool? = { connection, line in
            if line.contains("/info") {
                connection.respond(#"{"NCPU":4,"MemTotal":8000000000}"#)
            } else if line.contains("/images/") {
                connection.respond(#"{"Id":"sha256:1"}"#)
            } else if line.contains("/containers/create") {
                gate.pass()
                return nil
            } else {
                return nil
            }
            return true
        }
        try await StubbedEngine.with(change, answer: answer) { test in
            defer { gate.open() }
            _ = try await test.engine.submit(JobRequest(task: .source("def main(): pass")))
            let labels = #"image="\#(test.configuration.sandbox.image)",pool="",runtime="docker""#
            let lines: Set<String> = [
                "slipway_sandboxes{\(labels),state=\"starting\"} 1", "slipway_sandboxes{\(labels),state=\"stem\"} 0",
                "slipway_sandboxes{\(labels),state=\"warm\"} 0", "slipway_sandboxes{\(labels),state=\"busy\"} 0",
                "slipway_sandboxes{\(labels),state=\"paused\"} 0",
                "slipway_sandboxes{\(labels),state=\"destroying\"} 0", "slipway_pool_waiting{\(labels)} 1",
                "slipway_pool_running{\(labels)} 0", "slipway_pool_wait_seconds_count{\(labels)} 0",
            ]
            try await waitUntil("the sandbox starts, and the job waits") {
                lines.isSubset(of: await test.engine.metricsText().split(separator: "\n").map(String.init))
            }
        }
    }

    @Test func aBatchIsOneCommit() async throws {
        let gate = Gate()
        let change: (inout Configuration) -> Void = {
            $0.pools.defaults.minIdle = 0
            $0.sandbox.imageAllow = ["registry.example/*"]
        }
        // Its jobs come no further than to their image, so that nothing else is to be stored.
        let answer: @Sendable (StubServer.Connection, String) -> Bool? = { _, line in
            if line.contains("registry.example") { gate.pass() }
            return nil
        }
        try await StubbedEngine.with(change, answer: answer) { test in
            defer { gate.open() }
            var request = JobRequest(task: .source("def main(): pass"))
            request.image = "registry.example/batch:1"
            // What the engine writes at its start is written when nothing more comes.
            var before = -1
            while before != test.engine.store.commits {
                before = test.engine.store.commits
                try await Task.sleep(for: .milliseconds(500))
            }
            let jobs = try await test.engine.submit(
                batch: Array(repeating: request, count: 50), idempotency: IdempotencyKey("fifty"))
            #expect(test.engine.store.commits - before == 1)
            #expect(Set(jobs.map(\.id)).count == 50)
            let stored = try test.engine.store.unfinishedBlocking()
            #expect(Set(stored.map(\.job.id)) == Set(jobs.map(\.id)))
        }
    }
}
