import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// What is kept of jobs: keys, lists, results and output of every size.
    @Suite("Records of jobs", .serialized, .engines())
    struct JobRecordTests {
        private func key(_ text: String, _ hash: UInt8 = 1) throws -> IdempotencyKey {
            var key = try #require(IdempotencyKey(text))
            key.requestHash = Array(repeating: hash, count: 32)
            return key
        }

        @Test("one idempotency key is one job, whoever sends it how often", arguments: runtimesHere)
        func idempotency(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let request = JobRequest(task: .source("import os\ndef main(): return os.environ['SLIPWAY_JOB_ID']"))
            let first = try await engine.engine.submit(request, idempotency: key("a"))
            let again = try await engine.engine.submit(request, idempotency: key("a"), waitingUpTo: .seconds(30))
            #expect(again.job.id == first.id)
            #expect(again.value?.text == first.id.description)
            await #expect {
                _ = try await engine.engine.submit(request, idempotency: key("a", 2))
            } throws: { ($0 as? EngineError)?.code == .keyReused }
            try await engine.engine.delete(first.id)
            // The job is gone, and its key still does not run anything again.
            await #expect(throws: EngineError.self) {
                _ = try await engine.engine.submit(request, idempotency: key("a"))
            }

            let ids = try await withThrowingTaskGroup(of: JobID?.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        do {
                            return try await engine.engine.submit(request, idempotency: key("b")).id
                        } catch let error as EngineError where error.code == .keyInFlight {
                            return nil
                        }
                    }
                }
                return try await group.reduce(into: Set<JobID>()) { if let id = $1 { $0.insert(id) } }
            }
            #expect(ids.count == 1)
            let held = try await engine.engine.submit(request, idempotency: key("b"))
            #expect(ids.contains(held.id))
        }

        @Test("what a submit answers holds an end with the state of an end only", arguments: runtimesHere)
        func shortJobs(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            var request = JobRequest(task: .command(["/bin/sh", "-c", "exit 3"]))
            for index in 0..<50 {
                if index == 25 { request = JobRequest(task: .source("def main(): pass")) }
                let job = try await engine.engine.submit(request)
                let hasEnd = job.finishedAt != nil || job.timings.total != nil || job.error != nil || job.usage != nil
                #expect(job.state.isTerminal || !hasEnd, "\(job)")
                _ = try await engine.end(of: job.id)
            }
        }

        @Test("a list by state is of the states that the jobs have now", arguments: runtimesHere)
        func listingByState(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let team = "t\(UInt32.random(in: 0 ... .max))"
            var request = JobRequest(task: .source("import time\ndef main(): time.sleep(30)"))
            request.labels = ["team": team]
            let id = try await engine.engine.submit(request).id
            func listed(_ states: Set<JobState>) async throws -> [JobID] {
                try await engine.engine.jobs(JobQuery(states: states, labels: ["team": team], limit: 1)).jobs.map(\.id)
            }
            try await waitUntil("it runs") { try await engine.engine.job(id).state == .running }
            // The store hears of it only if it goes on.
            #expect(try await listed([.running]) == [id])
            #expect(try await listed([.running, .completed]) == [id])
            #expect(try await listed([.queued, .starting]) == [])
            #expect(try await listed([.completed]) == [])
            _ = try await engine.engine.cancel(id)
            _ = try await engine.end(of: id)
            #expect(try await listed([.running]) == [])
            #expect(try await listed([.cancelled]) == [id])
        }

        @Test("jobs are listed newest first, filtered and in pages, and are removed for good", arguments: runtimesHere)
        func listing(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let team = "t\(UInt32.random(in: 0 ... .max))"
            var jobs: [Job] = []
            for index in 0..<7 {
                var request = JobRequest(
                    task: .source(
                        "def main(i):\n    if i == 3: raise ValueError\n    return i", args: [.integer(Int64(index))]))
                request.labels = ["team": team, "even": index % 2 == 0 ? "yes" : "no"]
                request.name = "n\(index) \"quoted\"\nline"
                jobs.append(try await engine.run(request).job)
            }
            let all = try await engine.engine.jobs(JobQuery(labels: ["team": team]))
            #expect(all.jobs.map(\.id) == jobs.map(\.id).reversed())
            let even = try await engine.engine.jobs(JobQuery(labels: ["team": team, "even": "yes"]))
            #expect(even.jobs.count == 4)
            let failed = try await engine.engine.jobs(JobQuery(states: [.error], labels: ["team": team]))
            #expect(failed.jobs.map(\.id) == [jobs[3].id])
            let named = try await engine.engine.jobs(JobQuery(name: "n5 \"quoted\"\nline"))
            #expect(named.jobs.first?.id == jobs[5].id)
            var paged: [JobID] = []
            var cursor: String?
            repeat {
                let page = try await engine.engine.jobs(JobQuery(labels: ["team": team], limit: 3, cursor: cursor))
                paged += page.jobs.map(\.id)
                cursor = page.nextCursor
            } while cursor != nil
            #expect(paged == jobs.map(\.id).reversed())

            try await engine.engine.delete(jobs[0].id)
            await #expect { _ = try await engine.engine.job(jobs[0].id) } throws: {
                ($0 as? EngineError)?.code == .notFound
            }
            await #expect { try await engine.engine.delete(jobs[0].id) } throws: {
                ($0 as? EngineError)?.code == .notFound
            }
            #expect(try await engine.engine.jobs(JobQuery(labels: ["team": team])).jobs.count == 6)
            let running = try await engine.engine.submit(
                JobRequest(task: .source("import time\ndef main(): time.sleep(30)")))
            await #expect { try await engine.engine.delete(running.id) } throws: {
                ($0 as? EngineError)?.code == .notFinished
            }
            await #expect { _ = try await engine.engine.result(of: running.id) } throws: {
                ($0 as? EngineError)?.code == .notFinished
            }
            try await engine.engine.cancel(running.id)
            _ = try await engine.end(of: running.id)
            let other = try #require(TenantID("other"))
            await #expect { _ = try await engine.engine.job(jobs[1].id, tenant: other) } throws: {
                ($0 as? EngineError)?.code == .notFound
            }
        }

        /// Sizes that take each way: in the row, in one frame, in several; compressed and stored.
        static let sizes = [10, 12 << 10, 130 << 10, 1 << 20, 20 << 20]

        @Test("results come back whole in every size", arguments: runtimesHere, [false, true])
        func resultSizes(_ runtime: String, _ isRandom: Bool) async throws {
            let engine = try await sharedEngine(runtime)
            for size in Self.sizes {
                let text = Self.text(size, isRandom: isRandom)
                // The text goes in and comes back: a payload of this size on the way there, too.
                let outcome = try await engine.run(
                    JobRequest(task: .source("def main(x): return x", args: [.string(text)])), within: .seconds(120))
                #expect(outcome.job.state == .completed, "\(size): \(outcome.summary)")
                let isWhole = outcome.result?.bytes == Array("\"\(text)\"".utf8)
                #expect(isWhole, "\(size) bytes came back as \(outcome.result?.bytes.count ?? -1)")
                let stored = try await engine.engine.result(of: outcome.job.id)
                let isKept = stored.result?.bytes == outcome.result?.bytes
                #expect(isKept, "\(size) bytes were stored as \(stored.result?.bytes.count ?? -1)")
            }
        }

        @Test("20 MB of bytes go through a callable unharmed", arguments: runtimesHere)
        func binary(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            var bytes = [UInt8](repeating: 0, count: 20 << 20)
            Self.fill(&bytes)
            let size = withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { Array($0) }
            // PROTO 3, MARK, GLOBAL builtins.bytes, MARK, BINBYTES, TUPLE, MARK, DICT, TUPLE, STOP.
            var pickle: [UInt8] = [0x80, 3] + Array("(cbuiltins\nbytes\n(B".utf8) + size
            pickle += bytes
            pickle += Array("t(dt.".utf8)
            let outcome = try await engine.run(JobRequest(task: .callable(pickle: pickle)), within: .seconds(120))
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            let result = outcome.result?.bytes ?? []
            let hasAll =
                result.count > bytes.count && result.suffix(bytes.count + 2).starts(with: bytes)
                || result.suffix(bytes.count + 1).starts(with: bytes)
            #expect(hasAll, "\(result.count) bytes came back")
        }

        @Test("text that is split within its characters arrives intact", arguments: runtimesHere)
        func splitText(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = """
                import os, time
                def main():
                    data = ('h\\u00e9\\u20ac\\U0001F600' * 40).encode()
                    for i in range(0, len(data), 7):
                        os.write(1, data[i:i + 7]); time.sleep(0.002)
                    os.write(2, b'\\xff\\xfe ok \\xe2\\x82')
                """
            let outcome = try await engine.run(source: code)
            let id = outcome.job.id
            #expect(try await engine.logs(id) == String(repeating: "h\u{e9}\u{20ac}\u{1F600}", count: 40))
            #expect(try await engine.logs(id, .stderr).contains(" ok "))
            for event in try await engine.events(id) where event["stream"] == "stdout" {
                #expect(event["data"]?.text?.contains("\u{FFFD}") == false)
            }
        }

        @Test("100 MB of output neither stall the task nor fill the store; head and tail stay", arguments: runtimesHere)
        func flood(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = """
                import sys
                def main():
                    print('HEAD')
                    line = 'x' * 1023 + '\\n'
                    for _ in range(100 * 1024):
                        sys.stdout.write(line)
                    print('TAIL')
                    print('err', file=sys.stderr)
                    return 'done'
                """
            let outcome = try await engine.run(source: code, within: .seconds(120))
            #expect(outcome.value == "done", "\(outcome.summary)")
            let text = try await engine.logs(outcome.job.id)
            #expect(text.hasPrefix("HEAD\nxxx"))
            #expect(text.hasSuffix("xxx\nTAIL\n"))
            #expect(text.utf8.count <= engine.configuration.jobs.logLimitBytes + 200)
            #expect(text.utf8.count >= engine.configuration.jobs.logLimitBytes / 2)
            let marker = try #require(text.firstMatch(of: #/\[\.\.\. (\d+) bytes left out \.\.\.\]/#))
            let left = try #require(Int(marker.1))
            let kept = text.utf8.count - marker.0.utf8.count - 2
            #expect(left + kept == (100 << 20) + 10)
            #expect(try await engine.logs(outcome.job.id, .stderr) == "err\n")
            let tail = try await engine.engine.logs(of: outcome.job.id, stream: .stdout, tail: 1)
            #expect(String(decoding: tail, as: UTF8.self) == "TAIL\n")
        }

        @Test("output without a newline is kept, from Python and from C", arguments: runtimesHere)
        func unterminated(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = "import sys\ndef main():\n    sys.stdout.write('no newline')\n    sys.stderr.write('nor here')"
            let outcome = try await engine.run(source: code)
            #expect(try await engine.logs(outcome.job.id) == "no newline")
            #expect(try await engine.logs(outcome.job.id, .stderr) == "nor here")
            let native = try await engine.run(
                source: "import ctypes\ndef main():\n    ctypes.CDLL(None).printf(b'from C')")
            #expect(try await engine.logs(native.job.id) == "from C")
        }

        private static func text(_ size: Int, isRandom: Bool) -> String {
            var bytes = [UInt8](repeating: 0, count: size)
            if isRandom {
                fill(&bytes)
                let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
                for index in bytes.indices { bytes[index] = letters[Int(bytes[index] & 63)] }
            } else {
                let words = Array("the quick brown fox jumps over the lazy dog ".utf8)
                for index in bytes.indices { bytes[index] = words[index % words.count] }
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        private static func fill(_ bytes: inout [UInt8]) {
            var generator = SystemRandomNumberGenerator()
            bytes.withUnsafeMutableBytes { buffer in
                for place in stride(from: 0, to: buffer.count - 7, by: 8) {
                    buffer.storeBytes(of: generator.next(), toByteOffset: place, as: UInt64.self)
                }
            }
        }
    }
}
