import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// What `/metrics` tells of pools, beside what happened in them.
    @Suite("Metrics of pools", .serialized)
    struct PoolMetricsTests {
        private static let one = "def main(): return 1"

        /// The value of a series of the only pool; nil where there is none.
        private func metric(_ engine: TestEngine, _ name: String, _ more: [String: String] = [:]) async throws
            -> String?
        {
            let pool = try #require(await engine.engine.pools().first)
            let labels = more.merging(["image": pool.image, "pool": "", "runtime": pool.runtime]) { $1 }
            let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }
            let prefix = "\(name){\(pairs.joined(separator: ","))} "
            let lines = await engine.engine.metricsText().split(separator: "\n").filter { $0.hasPrefix(prefix) }
            #expect(lines.count <= 1, "\(lines)")
            return lines.first.map { String($0.dropFirst(prefix.count)) }
        }

        /// How many sandboxes are in each state, those without any left out.
        private func states(_ engine: TestEngine) async throws -> [String: String] {
            var found: [String: String] = [:]
            for state in ["warm", "busy", "stem", "paused", "starting", "destroying"] {
                let value = try #require(try await metric(engine, "slipway_sandboxes", ["state": state]), "\(state)")
                if value != "0" { found[state] = value }
            }
            return found
        }

        /// How often a sandbox was given away, by how it came about.
        private func grants(_ engine: TestEngine) async throws -> [String: String] {
            var found: [String: String] = [:]
            for start in ["warm", "respecialised", "stem", "cold"] {
                found[start] = try await metric(engine, "slipway_pool_grants_total", ["start": start])
            }
            return found
        }

        @Test("a stem cell, the warm sandbox that it becomes, its hits and their waits", arguments: runtimesHere)
        func hits(_ runtime: String) async throws {
            let engine = try await TestEngine.start(runtime) {
                $0.pools.defaults.minIdle = 1
                $0.pools.defaults.max = 1
            }
            try await waitUntil("the pool is known") { await !engine.engine.pools().isEmpty }
            try await waitUntil("a stem cell waits") { try await states(engine) == ["stem": "1"] }
            #expect(try await grants(engine) == ["warm": "0", "respecialised": "0", "stem": "0", "cold": "0"])
            #expect(try await metric(engine, "slipway_pool_wait_seconds_count") == "0")
            #expect(try await engine.run(source: Self.one).job.start == .stem)
            try await waitUntil("it is warm") { try await states(engine) == ["warm": "1"] }
            #expect(try await engine.run(source: Self.one).job.start == .warm)
            #expect(try await grants(engine) == ["warm": "1", "respecialised": "0", "stem": "1", "cold": "0"])
            #expect(try await metric(engine, "slipway_pool_wait_seconds_count") == "2")
            #expect(try await metric(engine, "slipway_pool_wait_seconds_bucket", ["le": "+Inf"]) == "2")
            let sum = try #require(try await metric(engine, "slipway_pool_wait_seconds_sum"))
            #expect(try #require(Double(sum)) >= 0)
            #expect(try await metric(engine, "slipway_pool_backoff") == "0")
            try await engine.shutdownLeavingNothing()
        }

        @Test("a busy sandbox, and one that is destroyed after the only use it may have", arguments: runtimesHere)
        func uses(_ runtime: String) async throws {
            let engine = try await TestEngine.start(runtime) {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.max = 1
                $0.pools.defaults.maxUses = 1
            }
            var starts: [Job.Start?] = []
            for _ in 0..<2 { starts.append(try await engine.run(source: Self.one).job.start) }
            try await waitUntil("both are gone") {
                try await metric(engine, "slipway_pool_destroyed_total", ["reason": "max_uses"]) == "2"
            }
            let sleeper = try await engine.engine.submit(
                JobRequest(task: .source("import time\ndef main(): time.sleep(600)")))
            try await engine.reach(.running, sleeper.id)
            starts.append(try await engine.engine.job(sleeper.id).start)
            try await waitUntil("it is busy, and nothing else is there") {
                try await states(engine) == ["busy": "1"]
            }
            #expect(try await metric(engine, "slipway_pool_running") == "1")
            let waiting = try await engine.engine.submit(JobRequest(task: .source(Self.one)))
            try await waitUntil("a job waits for it") { try await metric(engine, "slipway_pool_waiting") == "1" }
            #expect(
                try await grants(engine) == [
                    "warm": "0", "respecialised": "0", "stem": "\(starts.count { $0 == .stem })",
                    "cold": "\(starts.count { $0 == .cold })",
                ])
            #expect(!starts.contains(.warm) && !starts.contains(nil))
            #expect(try await metric(engine, "slipway_pool_wait_seconds_count") == "3")
            _ = try await engine.engine.cancel(waiting.id)
            _ = try await engine.engine.cancel(sleeper.id)
            #expect(try await engine.end(of: sleeper.id).job.state == .cancelled)
            try await waitUntil("nobody runs or waits") {
                let running = try await metric(engine, "slipway_pool_running")
                let waiting = try await metric(engine, "slipway_pool_waiting")
                return running == "0" && waiting == "0"
            }
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "a frozen sandbox, and the hit that thaws it", .enabled("no container engine answers", hasContainers))
        func paused() async throws {
            let engine = try await TestEngine.start("docker") {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.max = 1
                $0.pools.defaults.pauseAfter = .seconds(1)
            }
            _ = try await engine.run(source: Self.one)
            try await waitUntil("it is frozen") { try await states(engine) == ["paused": "1"] }
            #expect(try await metric(engine, "slipway_pool_resumed_total") == "0")
            #expect(try await engine.run(source: Self.one).job.start == .warm)
            #expect(try await metric(engine, "slipway_pool_resumed_total") == "1")
            #expect(try await grants(engine)["warm"] == "1")
            try await engine.shutdownLeavingNothing()
        }
    }
}
