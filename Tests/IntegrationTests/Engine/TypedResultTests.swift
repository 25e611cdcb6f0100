import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Results as Swift values, and who cancels what.
    @Suite("Results as Swift values", .serialized, .engines())
    struct TypedResultTests {
        private struct Point: Decodable, Equatable, Sendable {
            var x: Int
            var names: [String]
        }

        private func submit(_ engine: TestEngine, _ code: String) async throws -> JobID {
            try await engine.engine.submit(JobRequest(task: .source(code))).id
        }

        private func code(of body: () async throws -> Void) async -> EngineError.Code? {
            do {
                try await body()
                return nil
            } catch {
                return (error as? EngineError)?.code
            }
        }

        @Test("a result is waited for and decoded, or the error says what there is instead", arguments: runtimesHere)
        func decoded(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let number = try await submit(engine, "import time\ndef main():\n    time.sleep(0.3)\n    return 42")
            #expect(try await engine.engine.result(of: number, as: Int.self) == 42)
            await #expect(throws: DecodingError.self) { try await engine.engine.result(of: number, as: Point.self) }
            let point = try await submit(engine, "def main(): return {'x': 1, 'names': ['a', 'é']}")
            #expect(try await engine.engine.result(of: point, as: Point.self) == Point(x: 1, names: ["a", "é"]))
            let failed = try await submit(engine, "def main(): raise ValueError('no such thing')")
            await #expect {
                _ = try await engine.engine.result(of: failed, as: Int.self)
            } throws: {
                let error = $0 as? EngineError
                return error?.code == .jobFailed && error?.message.contains("(ValueError): no such thing") == true
            }
            let text = try await engine.engine.submit(JobRequest(task: .command(["true"]))).id
            #expect(await code { _ = try await engine.engine.result(of: text, as: Int.self) } == .notSupported)
            let slow = try await submit(engine, "import time\ndef main(): time.sleep(60)")
            #expect(
                await code { _ = try await engine.engine.result(of: slow, as: Int.self, upTo: .milliseconds(50)) }
                    == .notFinished)
            _ = try await engine.engine.cancel(slow)
        }

        @Test("a cancelled wait ends at once; the job goes on unless it was to end with it", arguments: runtimesHere)
        func cancelled(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            for cancelsJob in [false, true] {
                let id = try await submit(engine, "import time\ndef main(): time.sleep(60)")
                try await waitUntil("it runs") { try await engine.engine.job(id).state == .running }
                let wait = Task {
                    try await engine.engine.result(of: id, as: Int.self, cancelsJob: cancelsJob)
                }
                try await Task.sleep(for: .milliseconds(50))
                wait.cancel()
                await #expect(throws: CancellationError.self) { try await wait.value }
                #expect(try await engine.engine.job(id).cancelRequested == cancelsJob)
                if !cancelsJob {
                    #expect(try await engine.engine.job(id).state == .running)
                    _ = try await engine.engine.cancel(id)
                }
                #expect(try await engine.end(of: id).job.state == .cancelled)
            }
        }
    }
}
