import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Inputs whose file is written before their row.
    @Suite("Large inputs", .serialized, .engines())
    struct LargeInputTests {
        @Test("a sandbox that is free before the input is on disk changes nothing", arguments: runtimesHere)
        func claimedEarly(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            _ = try await engine.run(source: "def main(): pass")
            // Random, so that it stays large when it is packed; the write takes longer than the tasks before it.
            let filler = (0..<24_000).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
            let sources = (0..<24).map { "# \(filler)\ndef main(): return \($0)\n" }
            let outcomes = try await withThrowingTaskGroup(of: JobOutcome.self) { group in
                for (number, source) in sources.enumerated() {
                    group.addTask {
                        let request = JobRequest(task: .source(source))
                        if number % 2 == 0 {
                            return try await engine.engine.submit(request, waitingUpTo: .seconds(60))
                        }
                        return try await engine.end(of: engine.engine.submit(request).id)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.allSatisfy { $0.job.state == .completed && $0.job.attempt == 1 })
            let values = outcomes.compactMap { outcome -> Int? in
                guard case .integer(let value)? = outcome.value else { return nil }
                return Int(value)
            }
            #expect(values.sorted() == Array(0..<24))
            for outcome in outcomes {
                #expect(try await engine.engine.store.row(outcome.job.id)?.job.state == .completed)
            }
        }

        @Test("inputs of more waiting jobs than are kept in memory are read again from rows and files")
        func manyWaiting() async throws {
            let engine = try await TestEngine.start("process") {
                $0.pools.defaults.max = 1
                $0.pools.defaults.minIdle = 0
            }
            let long = try await engine.engine.submit(
                JobRequest(task: .source("import time\ndef main(): time.sleep(600)")))
            try await engine.reach(.running, long.id)
            // 64 MiB are kept: these have 72 MB, which compress to little.
            let filler = String(repeating: "slipway ", count: 7500)
            var ids: [JobID] = []
            for start in stride(from: 0, to: 1200, by: 300) {
                let requests = (start..<start + 300).map { number in
                    JobRequest(
                        task: .source(
                            "def main(text, number): return [len(text), number]",
                            args: [.string(filler), .integer(Int64(number))]))
                }
                ids += try await engine.engine.submit(batch: requests).map(\.id)
            }
            // Whether their files are made already or not.
            for id in ids.dropFirst(3).dropLast(6) { try await engine.engine.cancel(id) }
            try await engine.engine.cancel(long.id)
            for (number, id) in Array(ids.enumerated()).filter({ $0.offset < 3 || $0.offset >= 1194 }) {
                let outcome = try await engine.end(of: id)
                #expect(outcome.value == [.integer(60_000), .integer(Int64(number))], "\(outcome.summary)")
            }
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "an input that is packed beside its task is stored whole, however it was submitted", arguments: runtimesHere
        )
        func packedLater(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let noise = (0..<120_000).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
            for text in [noise, String(repeating: "all the same ", count: 120_000)] {
                // The second attempt reads what was stored.
                let code = """
                    import os
                    TEXT = "\(text)"
                    def main(fails):
                        if fails and os.environ["SLIPWAY_ATTEMPT"] == "1": raise ValueError
                        return len(TEXT)
                    """
                func request(fails: Bool = false) -> JobRequest {
                    var request = JobRequest(task: .source(code, args: [.bool(fails)]))
                    request.retry = .init(maxAttempts: 2, backoff: .milliseconds(300))
                    return request
                }
                let key = try #require(IdempotencyKey("large-\(runtime)-\(text.utf8.count)", requestHash: [1]))
                var ids = [
                    try await engine.engine.submit(request(), waitingUpTo: .seconds(60)).job.id,
                    try await engine.engine.submit(request(fails: true), waitingUpTo: .seconds(60)).job.id,
                    try await engine.engine.submit(request(), idempotency: key, waitingUpTo: .seconds(60)).job.id,
                    try await engine.engine.submit(request()).id,
                ]
                ids += try await engine.engine.submit(batch: [request(), request(fails: true)]).map(\.id)
                for id in ids {
                    let outcome = try await engine.end(of: id)
                    #expect(outcome.value == .integer(Int64(text.utf8.count)), "\(outcome.summary)")
                    let stored = try #require(try await engine.engine.store.row(id)?.input)
                    #expect(stored.plainSize > text.utf8.count)
                    #expect((stored.encodedSize > 16_384) == (text == noise))
                }
                let cancelled = try await engine.engine.submit(request())
                // It may have ended by then.
                _ = try? await engine.engine.cancel(cancelled.id)
                #expect(try await engine.end(of: cancelled.id).job.state.isTerminal)
            }
            #expect(try engine.engine.store.unfinishedBlocking().isEmpty)
        }

        @Test(
            "a large input runs while it is written, and one that cannot be written is no job", arguments: runtimesHere)
        func written(_ runtime: String) async throws {
            try #require(TinyDisk.isPossible)
            let disk = try TinyDisk(megabytes: 96)
            let engine = try await TestEngine.start(runtime) { configuration in
                configuration.data.directory = disk.folder.path + "/data"
                configuration.data.minFreeBytes = 0
                configuration.pools.defaults.max = 1
            }
            let filler = (0..<100_000).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
            let request = JobRequest(task: .source("# \(filler)\ndef main(): return 7\n"))
            let first = try await engine.run(request)
            #expect(first.value == 7, "\(first.summary)")
            let row = try #require(try await engine.engine.store.row(first.job.id))
            #expect(
                row.job.state == .completed && row.input?.inline == nil, "its file is durable, its row holds no copy")
            try disk.fill("ballast")
            await #expect(throws: EngineError.self) { _ = try await engine.run(request) }
            await #expect(throws: EngineError.self) { _ = try await engine.engine.submit(request) }
            try disk.remove("ballast")
            let again = try await eventually("jobs are accepted again") { try? await engine.run(request) }
            #expect(again.value == 7, "\(again.summary)")
            #expect(again.job.sandbox == first.job.sandbox, "a sandbox whose job could not be stored serves on")
            #expect(try engine.engine.store.unfinishedBlocking().isEmpty)
            try await engine.shutdownLeavingNothing()
        }
    }
}
