import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// How many jobs of a tenant may be unfinished, whoever submits them at the same time.
    @Suite("Queue limit", .serialized)
    struct QueueLimitTests {
        private static let most = 50

        private func engine() async throws -> TestEngine {
            try await TestEngine.start("process") {
                $0.jobs.queueMax = Self.most
                $0.pools.defaults.max = 1
                $0.pools.defaults.minIdle = 0
            }
        }

        private func request(_ source: String = "import time\ndef main(): time.sleep(60)") -> JobRequest {
            JobRequest(task: .source(source))
        }

        /// How many jobs more are accepted, one by one.
        private func room(_ test: TestEngine) async throws -> Int {
            for count in 0...Self.most {
                do {
                    _ = try await test.engine.submit(request())
                } catch let error as EngineError where error.code == .queueFull {
                    return count
                }
            }
            return .max
        }

        private func cancelAll(_ test: TestEngine) async throws {
            for job in try await test.engine.jobs(JobQuery(limit: 500)).jobs where !job.state.isTerminal {
                _ = try await test.engine.cancel(job.id)
            }
            try await waitUntil("nothing is left") {
                let usage = await test.engine.usage()
                return usage.running + usage.waiting == 0
            }
        }

        @Test("batches at the same time do not pass it, and what is refused takes no place")
        func parallel() async throws {
            let test = try await engine()
            let accepted = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        // Large enough that each batch waits for another thread, in which the others come.
                        let filler = "# " + String(repeating: "x", count: 131_073)
                        let batch = (0..<20).map { _ in request("\(filler)\nimport time\ndef main(): time.sleep(60)") }
                        do {
                            return try await test.engine.submit(batch: batch).count
                        } catch {
                            #expect((error as? EngineError)?.code == .queueFull, "\(error)")
                            return 0
                        }
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(accepted == 20 || accepted == 40)
            #expect(try await room(test) == Self.most - accepted)
            try await cancelAll(test)
            #expect(try await room(test) == Self.most)
            try await cancelAll(test)
            try await test.shutdownLeavingNothing()
        }

        @Test("every failure of a submit gives its places back")
        func failures() async throws {
            let test = try await engine()
            var wrong = request()
            wrong.priority = 1000
            let corrupt = JobRequest(task: TaskSpec(kind: .callable, python: "3.11", input: .packed(Array("!!".utf8))))
            let good = [JobRequest](repeating: request(), count: 20)
            for last in [wrong, corrupt] {
                await #expect(throws: EngineError.self) { try await test.engine.submit(batch: good + [last]) }
                await #expect(throws: EngineError.self) { try await test.engine.submit(last) }
            }
            await #expect(throws: EngineError.self) {
                try await test.engine.submit(batch: [JobRequest](repeating: request(), count: Self.most + 1))
            }
            let key = IdempotencyKey("again", requestHash: [1])
            let first = try await test.engine.submit(batch: good, idempotency: key)
            #expect(try await test.engine.submit(batch: good, idempotency: key).map(\.id) == first.map(\.id))
            await #expect(throws: EngineError.self) {
                try await test.engine.submit(batch: good, idempotency: IdempotencyKey("again", requestHash: [2]))
            }
            await #expect(throws: EngineError.self) {
                try await test.engine.submit(request(), idempotency: IdempotencyKey("again", requestHash: [2]))
            }
            #expect(try await room(test) == Self.most - good.count)
            // What was accepted stands where nothing more is: a request that is repeated is answered with it.
            #expect(try await test.engine.submit(batch: good, idempotency: key).map(\.id) == first.map(\.id))
            await #expect(throws: EngineError.self) {
                try await test.engine.submit(batch: good, idempotency: IdempotencyKey("again", requestHash: [2]))
            }
            try await cancelAll(test)
            let single = IdempotencyKey("single", requestHash: [1])
            let one = try await test.engine.submit(request(), idempotency: single)
            #expect(try await room(test) == Self.most - 1)
            #expect(try await test.engine.submit(request(), idempotency: single).id == one.id)
            try await cancelAll(test)
            try await test.shutdownLeavingNothing()
        }

        @Test("what waiting jobs bring has a limit in bytes, whoever submits it and after a restart too")
        func bytes() async throws {
            func limit(_ configuration: inout Configuration) {
                configuration.jobs.queueSizeMaxBytes = 256 << 10
                configuration.jobs.drainTimeout = .milliseconds(200)
                configuration.pools.defaults.max = 1
                configuration.pools.defaults.minIdle = 0
            }
            var large = request()
            large.env = ["LARGE": String(repeating: "x", count: 50_000)]
            var labelled = request()
            labelled.labels = Dictionary(
                uniqueKeysWithValues: (0..<60).map { ("l\($0)", String(repeating: "x", count: 250)) })
            func expectRefusal(_ test: TestEngine, _ requests: [JobRequest]) async {
                let error = await #expect(throws: EngineError.self) { try await test.engine.submit(batch: requests) }
                #expect(error?.code == .queueFull && error?.message.contains("jobs.queue_size_max") == true)
                guard requests.count == 1 else { return }
                let single = await #expect(throws: EngineError.self) { try await test.engine.submit(requests[0]) }
                #expect(single?.code == .queueFull)
            }
            let first = try await TestEngine.start("process", tweak: limit)
            let running = try await first.engine.submit(request())
            try await first.reach(.running, running.id)
            await #expect(throws: EngineError.self) {
                try await first.engine.submit(batch: [large, large, wrong(large)])
            }
            _ = try await first.engine.submit(batch: [large, large])
            for _ in 0..<2 { _ = try await first.engine.submit(large) }
            await expectRefusal(first, [large, large])
            let last = try await first.engine.submit(large)
            await expectRefusal(first, [large])
            await expectRefusal(first, [labelled])
            _ = try await first.engine.submit(request())
            _ = try await first.engine.cancel(last.id)
            _ = try await first.end(of: last.id)
            _ = try await first.engine.submit(labelled)
            await expectRefusal(first, [large])
            await first.engine.shutdown()

            let second = try await TestEngine.start("process", in: first.folder, tweak: limit)
            await expectRefusal(second, [large])
            _ = try await second.engine.submit(request())
            try await cancelAll(second)
            // More than all that may be held gets in where nothing is.
            _ = try await second.engine.submit(batch: [JobRequest](repeating: large, count: 6))
            await expectRefusal(second, [large])
            try await cancelAll(second)
            try await second.shutdownLeavingNothing()
        }

        private func wrong(_ request: JobRequest) -> JobRequest {
            var request = request
            request.priority = 1000
            return request
        }
    }
}
