import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Cancelling a job only if it has not started.
    @Suite("Cancelling queued jobs only", .serialized, .engines())
    struct ConditionalCancelTests {
        @Test("a queued job is cancelled, one that runs is left alone and completes", arguments: runtimesHere)
        func onlyQueued(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let sleepers = try await engine.engine.submit(
                batch: (0..<2).map { _ in
                    JobRequest(task: .source("import time\ndef main():\n    time.sleep(10)\n    return 7"))
                })
            let queued = try await engine.engine.submit(JobRequest(task: .source("def main(): pass")))
            for sleeper in sleepers { try await engine.reach(.running, sleeper.id) }
            #expect(try await !engine.engine.cancelIfQueued(queued.id).alreadyCancelled)
            #expect(try await engine.end(of: queued.id).job.state == .cancelled)
            #expect(try await engine.engine.cancelIfQueued(queued.id).alreadyCancelled)
            for sleeper in sleepers {
                let error = await #expect(throws: EngineError.self) {
                    try await engine.engine.cancelIfQueued(sleeper.id)
                }
                #expect(error?.code == .alreadyStarted)
            }
            for sleeper in sleepers {
                let outcome = try await engine.end(of: sleeper.id)
                #expect(outcome.value == 7, "\(outcome.summary)")
                #expect(!outcome.job.cancelRequested)
                let late = await #expect(throws: EngineError.self) {
                    try await engine.engine.cancelIfQueued(sleeper.id)
                }
                #expect(late?.code == .alreadyTerminal)
            }
            let other = try #require(TenantID("other"))
            let foreign = await #expect(throws: EngineError.self) {
                try await engine.engine.cancelIfQueued(queued.id, tenant: other)
            }
            #expect(foreign?.code == .notFound)
        }

        @Test("200 races: what was cancelled never ran, and what ran was never cancelled", arguments: runtimesHere)
        func races(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            _ = try await engine.run(source: "def main(): pass")
            var cancelled = 0
            for round in 0..<200 {
                let job = try await engine.engine.submit(JobRequest(task: .source("def main(): print('ran')")))
                if round % 2 == 1 { try await Task.sleep(for: .microseconds(Int64.random(in: 0...1500))) }
                do {
                    try await engine.engine.cancelIfQueued(job.id)
                    cancelled += 1
                    #expect(try await engine.end(of: job.id).job.state == .cancelled)
                    #expect(try await engine.logs(job.id) == "")
                } catch let error as EngineError {
                    #expect([.alreadyStarted, .alreadyTerminal].contains(error.code), "\(error)")
                    #expect(try await engine.end(of: job.id).job.state == .completed)
                    #expect(try await engine.logs(job.id) == "ran\n")
                }
            }
            #expect(cancelled < 200)
        }
    }
}
