import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// What an orderly end leaves to the next process.
    @Suite("Orderly ends", .serialized)
    struct DrainTests {
        private static func start(in folder: TemporaryFolder) async throws -> TestEngine {
            try await TestEngine.start("process", in: folder) {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.max = 1
                $0.jobs.drainTimeout = .seconds(20)
                $0.runner.reconnectGrace = .seconds(60)
            }
        }

        /// A task that notes each of its attempts, and ends when `go` is there.
        private static func task(_ folder: TemporaryFolder, after: String = "return attempt") -> JobRequest {
            JobRequest(
                task: .source(
                    """
                    import os, time
                    def main():
                        attempt = int(os.environ["SLIPWAY_ATTEMPT"])
                        with open("\(folder.path)/begun", "a") as ledger: ledger.write("%d\\n" % attempt)
                        while not os.path.exists("\(folder.path)/go"): time.sleep(0.01)
                        \(after)
                    """))
        }

        private static func begun(_ folder: TemporaryFolder) -> [String] {
            let text = (try? String(contentsOfFile: folder.path + "/begun", encoding: .utf8)) ?? ""
            return text.split(separator: "\n").map(String.init)
        }

        @Test("an attempt that fails while the engine ends is not the last one: the next process tries again")
        func retry() async throws {
            let folder = try TemporaryFolder()
            let first = try await Self.start(in: folder)
            var request = Self.task(folder, after: "if attempt == 1: raise ValueError(1)\n    return attempt")
            request.retry = .init(maxAttempts: 3, backoff: .milliseconds(10))
            let job = try await first.engine.submit(request)
            try await waitUntil("it runs", within: .seconds(60)) { Self.begun(folder) == ["1"] }
            async let ended: Void = first.engine.shutdown()
            try await waitUntil("the engine ends", within: .seconds(60)) { await !first.engine.readiness().ready }
            _ = try folder.write("go", "")
            await ended
            #expect(Self.begun(folder) == ["1"], "it was tried again by an engine that ends")
            let second = try await Self.start(in: folder)
            let outcome = try await second.end(of: job.id)
            #expect(outcome.value == .integer(2), "\(outcome.summary)")
            #expect(Self.begun(folder) == ["1", "2"])
            try await second.shutdownLeavingNothing()
        }

        @Test("what waits is not begun by an engine that ends, but by the next process")
        func queued() async throws {
            let folder = try TemporaryFolder()
            let first = try await Self.start(in: folder)
            let running = try await first.engine.submit(Self.task(folder))
            try await waitUntil("it runs", within: .seconds(60)) { Self.begun(folder).count == 1 }
            let waiting = try await first.engine.submit(batch: [Self.task(folder), Self.task(folder)])
            async let ended: Void = first.engine.shutdown()
            try await waitUntil("the engine ends", within: .seconds(60)) { await !first.engine.readiness().ready }
            _ = try folder.write("go", "")
            await ended
            #expect(Self.begun(folder).count == 1, "it began a job that waited")
            let second = try await Self.start(in: folder)
            #expect(try await second.engine.job(running.id).state == .completed)
            for job in waiting { #expect(try await second.end(of: job.id).value == .integer(1)) }
            #expect(Self.begun(folder).count == 3)
            try await second.shutdownLeavingNothing()
        }

        @Test("a result that is on its way or being packed when the engine ends is kept")
        func packing() async throws {
            let folder = try TemporaryFolder()
            var jobs: [JobID] = []
            // Some 30 MB of text, which takes a while to come, to be inflated and to be written.
            for (number, delay) in [0, 50, 100, 150, 200, 300].enumerated() {
                let engine = try await TestEngine.start("process", in: folder) {
                    $0.pools.defaults.minIdle = 0
                    $0.jobs.drainTimeout = .milliseconds(1)
                    $0.runner.reconnectGrace = .seconds(60)
                }
                let mark = "\(folder.path)/mark-\(number)"
                let code = "def main():\n    open('\(mark)', 'w').close()\n    return 'slipway ' * (4 << 20)"
                jobs.append(try await engine.engine.submit(JobRequest(task: .source(code))).id)
                try await waitUntil("it ends", within: .seconds(120)) { FileManager.default.fileExists(atPath: mark) }
                try await Task.sleep(for: .milliseconds(delay))
                await engine.engine.shutdown()
            }
            let last = try await Self.start(in: folder)
            for id in jobs {
                let outcome = try await last.end(of: id, within: .seconds(120))
                #expect(outcome.job.state == .completed, "\(outcome.summary)")
            }
            try await last.shutdownLeavingNothing()
        }
    }
}
