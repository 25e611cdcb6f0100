import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// How much of the output of many attempts is kept.
    @Suite("Kept output", .serialized)
    struct KeptOutputTests {
        @Test("of many attempts with much output the newest are kept whole, and numbers of events stay")
        func attempts() async throws {
            let test = try await TestEngine.start("process") { $0.pools.defaults.max = 1 }
            let source = """
                import os, sys
                def main():
                    n = os.environ["SLIPWAY_ATTEMPT"]
                    for stream in (sys.stdout, sys.stderr):
                        stream.write("begin %s\\n" % n + "x" * (1048576 - 64) + "\\nend %s\\n" % n)
                    if n != "6": raise ValueError(n)
                """
            var request = JobRequest(task: .source(source))
            request.retry = .init(maxAttempts: 6, backoff: .milliseconds(1))
            let job = try await test.engine.submit(request)
            var live: [Int] = []
            for await event in try await test.engine.events(of: job.id) { live.append(event.seq) }
            let outcome = try await test.end(of: job.id)
            #expect(outcome.job.state == .completed && outcome.job.attempt == 6, "\(outcome.summary)")
            // Each attempt writes nearly 1 MiB to each stream: 8 MiB of the first five are kept, and the last.
            for stream in [LogStream.stdout, .stderr] {
                let text = try await test.logs(job.id, stream)
                #expect(text.hasPrefix("[... "))
                #expect(text.contains(" bytes of attempt 1 left out ...]\nbegin 2\n"))
                #expect(!text.contains("begin 1\n") && text.hasSuffix("\nend 6\n"))
                for attempt in 2...6 { #expect(text.contains("begin \(attempt)\n")) }
                #expect(text.utf8.count < 5 << 20)
            }
            let events = try await test.events(job.id)
            #expect(events.map { $0["seq"] } == (1...events.count).map { .integer(Int64($0)) })
            #expect(live == Array(1...events.count))
            try await test.shutdownLeavingNothing()
        }
    }
}
