import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// What all sandboxes together may take, on live engines.
    @Suite("Allocation", .serialized)
    struct AllocationTests {
        private static let memory = 128 << 20

        /// An engine with room for two sandboxes of the default size.
        private func engine(
            _ runtime: String, _ tweak: (inout Configuration) -> Void = { _ in }
        ) async throws -> TestEngine {
            try await TestEngine.start(runtime) {
                $0.sandbox.memoryBytes = Self.memory
                $0.sandbox.cpus = 0.5
                $0.pools.defaults.max = 8
                $0.pools.defaults.minIdle = 0
                $0.pools.startingMax = 4
                $0.allocation.cpus = 2
                $0.allocation.memoryBytes = 2 * Self.memory
                tweak(&$0)
            }
        }

        @Test("jobs beyond the memory wait, say so, and run when room is free", arguments: runtimesHere)
        func jobsWait(_ runtime: String) async throws {
            let test = try await engine(runtime)
            // Two that fill the memory until they are told to end, and three that wait for it.
            let long = "import time\ndef main(): time.sleep(300)"
            var ids: [JobID] = []
            for code in [long, long, "def main(): return 1", "def main(): return 1", "def main(): return 1"] {
                ids.append(try await test.engine.submit(JobRequest(task: .source(code))).id)
            }
            try await waitUntil("two jobs run") {
                var running = 0
                for id in ids where try await test.engine.job(id).state == .running { running += 1 }
                return running == 2
            }
            let last = try await test.engine.job(ids[4])
            #expect(last.state == .queued)
            #expect(last.message == "waiting for memory (\(Self.memory) more bytes)")
            let pools = await test.engine.pools()
            #expect(pools.contains { $0.waitsFor != nil })
            var most = 0
            for _ in 0..<20 {
                let present = await test.engine.pools().reduce(0) {
                    $0 + $1.warm + $1.busy + $1.stem + $1.starting + $1.destroying
                }
                most = max(most, present)
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(most == 2, "\(most) sandboxes at a time")
            for id in ids.prefix(2) { try await test.engine.cancel(id) }
            for id in ids.dropFirst(2) { #expect(try await test.end(of: id).job.state == .completed) }
            try await test.shutdownLeavingNothing()
        }

        @Test("a sandbox of another size evicts idle ones, and its own room comes back", arguments: runtimesHere)
        func eviction(_ runtime: String) async throws {
            let test = try await engine(runtime)
            let first = try await test.run(source: "def main(): return 1")
            let large = try await test.run(source: "def main(): return 2") {
                $0.resources.memoryBytes = 2 * Self.memory
            }
            #expect(large.job.state == .completed, "\(large.summary)")
            #expect(large.job.sandbox != first.job.sandbox)
            let evicted = await test.engine.pools().reduce(0) { $0 + ($1.destroyed["evicted"] ?? 0) }
            #expect(evicted == 1)
            let again = try await test.run(source: "def main(): return 3")
            #expect(again.job.state == .completed && again.job.sandbox != first.job.sandbox)
            try await test.shutdownLeavingNothing()
        }

        @Test("what can never fit is refused when it is submitted", arguments: runtimesHere)
        func refusal(_ runtime: String) async throws {
            let test = try await engine(runtime) {
                $0.tenants.defaults.cpus = 1
                $0.tenants.defaults.memoryBytes = 3 * Self.memory / 2
            }
            var request = JobRequest(task: .source("def main(): return 1"))
            request.resources = ResourceRequest(cpus: 1.5, memoryBytes: 3 * Self.memory)
            let error = await #expect(throws: EngineError.self) { try await test.engine.submit(request) }
            #expect(error?.code == .limitExceeded)
            let pointers = error?.faults.map { "\($0.pointer) \($0.code)" } ?? []
            #expect(Set(pointers) == Set(["cpus", "memory"].map { "/resources/\($0) limit-exceeded" }))
            request.resources = ResourceRequest(gpus: .init(count: 1))
            let other = await #expect(throws: EngineError.self) { try await test.engine.submit(request) }
            #expect(other?.code == .limitExceeded)
            #expect(other?.message.contains("There is no GPU here") == true)
            try await test.shutdownLeavingNothing()
        }

        @Test("a tenant's limits hold where jobs may share sandboxes and do not", arguments: runtimesHere)
        func tenantLimitsWithSlots(_ runtime: String) async throws {
            let test = try await engine(runtime) {
                $0.allocation.cpus = 4
                $0.allocation.memoryBytes = 8 * Self.memory
                $0.tenants.defaults.memoryBytes = 2 * Self.memory
                $0.pools.defaults.slots = 4
            }
            var ids: [JobID] = []
            for module in ["json", "csv", "wave", "zlib"] {
                var request = JobRequest(task: .source("import time\ndef main(): time.sleep(1)"))
                request.preload = [module]
                ids.append(try await test.engine.submit(request).id)
            }
            var most = 0
            try await waitUntil("all have ended") {
                most = max(most, await test.engine.usage().memoryBytes)
                for id in ids where try await !test.engine.job(id).state.isTerminal { return false }
                return true
            }
            #expect(most == 2 * Self.memory, "\(most) bytes at a time")
            for id in ids { #expect(try await test.engine.job(id).state == .completed) }
            try await test.shutdownLeavingNothing()
        }

        @Test("a tenant has no more than its limits, and its usage says so", arguments: runtimesHere)
        func tenantLimits(_ runtime: String) async throws {
            let test = try await engine(runtime) {
                $0.allocation.memoryBytes = 8 * Self.memory
                $0.tenants.defaults.running = 1
            }
            let slow = JobRequest(task: .source("import time\ndef main(): time.sleep(4)"))
            let ids = [try await test.engine.submit(slow).id, try await test.engine.submit(slow).id]
            // Which of the two comes first depends on whose image was looked up first.
            try await waitUntil("one of the two runs") {
                for id in ids where try await test.engine.job(id).state == .running { return true }
                return false
            }
            var states: [Job] = []
            for id in ids { states.append(try await test.engine.job(id)) }
            let waiting = states.filter { $0.state == .queued }
            #expect(waiting.count == 1 && waiting.first?.message?.contains("the tenant's other jobs") == true)
            let usage = await test.engine.usage()
            #expect(usage.limits.running == 1 && usage.running == 1 && usage.waiting == 1)
            #expect(usage.cpus == 0.5 && usage.memoryBytes == Self.memory && usage.gpus == 0)
            var ended: [Job] = []
            for id in ids { ended.append(try await test.end(of: id).job) }
            #expect(ended.allSatisfy { $0.state == .completed })
            let starts = ended.compactMap(\.startedAt).sorted()
            #expect(try #require(starts.last).timeIntervalSince(#require(starts.first)) > 3.5, "side by side")
            let third = try await test.engine.submit(slow)
            let fourth = try await test.engine.submit(slow)
            #expect(try await test.engine.cancel(fourth.id).job.state == .cancelled)
            #expect(try await test.end(of: third.id).job.state == .completed)
            let after = await test.engine.usage()
            #expect(after.running == 0 && after.waiting == 0 && after.cpus == 0 && after.gpus == 0)
            #expect(after.idleSandboxes > 0 && after.idleMemoryBytes == after.idleSandboxes * Self.memory)
            try await test.shutdownLeavingNothing()
        }
    }
}
