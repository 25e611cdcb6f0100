import Foundation
import SlipwayCore
import TestSupport
import Testing

/// Every kind of sandbox that can be had here: containers over a socket, containers over their standard input and
/// output, and local processes.
let sandboxesHere = ContainerEngine.answers ? ["docker", "attach", "process"] : ["process"]

extension LiveSandboxes {
    /// What every runtime and transport has to do alike.
    @Suite("Runtime conformance", .serialized, .engines { $0.pools.defaults.max = 1 })
    struct ConformanceTests {
        @Test("values, output and events come whole and in order", arguments: sandboxesHere)
        func whole(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = """
                import slipway, sys, time
                def main(n):
                    for i in range(n):
                        print("line", i, flush=True)
                        print("error", i, file=sys.stderr, flush=True)
                        slipway.emit({"type": "tick", "i": i})
                    return {"n": n, "odd": "\\u00fe \\U0001F600"}
                """
            let outcome = try await engine.run(source: code, args: [200])
            #expect(outcome.value == ["n": 200, "odd": "\u{FE} \u{1F600}"], "\(outcome.summary)")
            #expect(try await engine.logs(outcome.job.id) == (0..<200).map { "line \($0)\n" }.joined())
            #expect(try await engine.logs(outcome.job.id, .stderr) == (0..<200).map { "error \($0)\n" }.joined())
            let ticks = try await engine.events(outcome.job.id).filter { $0["type"] == "tick" }
            #expect(ticks.compactMap { $0["i"] } == (0..<200).map { .integer($0) })
        }

        @Test("megabytes of any bytes go in and come out unchanged", arguments: sandboxesHere)
        func large(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            // Base64 of bytes that are escaped, doubled or look like marks on some transport, and of random ones.
            var bytes = [UInt8](repeating: 0xFE, count: 100_000)
            for round in 0..<400 { bytes += [0xFE, UInt8(round % 5), 0xFF, 0xFD, 0] }
            bytes += (0..<2_000_000).map { _ in UInt8.random(in: 0...255) }
            let code = """
                import base64, hashlib
                def main(text):
                    data = base64.b64decode(text)
                    # Bytes that do not compress travel as they are.
                    return [hashlib.sha256(data).hexdigest(), text, text[::-1]]
                """
            let text = Data(bytes).base64EncodedString()
            let outcome = try await engine.run(source: code, args: [.string(text)])
            guard case .array(let values)? = outcome.value, values.count == 3 else {
                Issue.record("no value: \(outcome.summary)")
                return
            }
            #expect(values[1].text == text)
            #expect(values[2].text == String(text.reversed()))
        }

        @Test("pickled bytes, every value of a byte among them, pass the transport", arguments: sandboxesHere)
        func pickled(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            // The pickle of (bytes, (list of 0...255 many times,), {}): a protocol 2 stream of raw bytes.
            var raw: [UInt8] = []
            for round in 0..<1000 { raw += (0...255).map { UInt8(($0 + round) % 256) } }
            var pickle: [UInt8] = [0x80, 3] + Array("cbuiltins\nbytes\n".utf8)
            pickle += [UInt8(ascii: "B")] + withUnsafeBytes(of: UInt32(raw.count).littleEndian) { Array($0) } + raw
            pickle += [0x85, UInt8(ascii: "}"), 0x87, UInt8(ascii: ".")]
            let outcome = try await engine.run(JobRequest(task: .callable(pickle: pickle)))
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            let result = try #require(outcome.result?.bytes)
            #expect(result.count > raw.count)
            #expect(Data(result).range(of: Data(raw)) != nil, "the bytes came back altered")
        }

        @Test("a flood of output neither blocks nor kills: head and tail are kept", arguments: sandboxesHere)
        func flood(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = """
                import sys
                def main():
                    print("first")
                    for i in range(300000): sys.stdout.write("%07d %s\\n" % (i, "x" * 90))
                    print("last", end="")
                    return 7
                """
            let outcome = try await engine.run(source: code)
            #expect(outcome.value == 7, "\(outcome.summary)")
            let log = try await engine.logs(outcome.job.id)
            #expect(log.hasPrefix("first\n0000000 "))
            #expect(log.hasSuffix("last"))
            #expect(log.contains("bytes left out"))
        }

        @Test("cancel and time-out end a task, and the sandbox serves the next", arguments: sandboxesHere)
        func ended(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let sleeper = "import time\ndef main():\n    print('up', flush=True)\n    time.sleep(60)"
            let job = try await engine.engine.submit(JobRequest(task: .source(sleeper)))
            try await waitUntil("the task is up") { try await engine.logs(job.id) == "up\n" }
            try await engine.engine.cancel(job.id)
            let cancelled = try await engine.end(of: job.id, within: .seconds(10))
            #expect(cancelled.job.state == .cancelled, "\(cancelled.summary)")
            let late = try await engine.run(source: sleeper) { $0.timeout = .milliseconds(300) }
            #expect(late.job.error?.kind == .timeout, "\(late.summary)")
            let next = try await engine.run(source: "def main(): return 1")
            #expect(next.value == 1, "\(next.summary)")
            #expect(next.job.start == .warm)
            #expect(next.job.sandbox == cancelled.job.sandbox)
        }

        @Test("many short tasks share one sandbox", arguments: sandboxesHere)
        func many(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let requests = (0..<100).map {
                JobRequest(task: .source("def main(i): return i * i", args: [.integer($0)]))
            }
            let jobs = try await engine.engine.submit(batch: requests)
            var sandboxes: Set<String> = []
            for (index, job) in jobs.enumerated() {
                let outcome = try await engine.end(of: job.id)
                #expect(outcome.value == .integer(Int64(index * index)), "\(outcome.summary)")
                sandboxes.insert(outcome.job.sandbox ?? "")
            }
            #expect(sandboxes.count == 1)
        }

        @Test(
            "an engine that is stopped hands over what runs, and the next one takes it back", arguments: sandboxesHere)
        func handedOver(_ runtime: String) async throws {
            let first = try await TestEngine.start(runtime) { $0.jobs.drainTimeout = .milliseconds(200) }
            let code = """
                import time
                def main():
                    for i in range(30):
                        print("step", i, flush=True)
                        time.sleep(0.1)
                    return "whole"
                """
            let job = try await first.engine.submit(JobRequest(task: .source(code)))
            try await waitUntil("the task is up") { try await first.logs(job.id).contains("step 2\n") }
            await first.engine.shutdown()
            try await Task.sleep(for: .milliseconds(500))
            let second = try await TestEngine.start(runtime, in: first.folder)
            let outcome = try await second.end(of: job.id)
            #expect(outcome.value == "whole", "\(outcome.summary)")
            #expect(outcome.job.attempt == 1)
            #expect(try await second.logs(job.id) == (0..<30).map { "step \($0)\n" }.joined())
            #expect(try await second.run(source: "def main(): return 1").value == 1)
            try await second.shutdownLeavingNothing()
        }

        @Test("a sandbox that cannot start says why, and what could be changed", arguments: sandboxesHere)
        func doesNotStart(_ runtime: String) async throws {
            let engine = try await TestEngine.start(runtime) {
                $0.runtime.python = "/nowhere/python3"
                $0.pools.defaults.startBackoff = .milliseconds(10)
                $0.sandbox.image = "slipway/none:0"
            }
            let message: String
            do {
                let outcome = try await engine.run(source: "def main(): return 1") { $0.queueTimeout = .seconds(5) }
                #expect(outcome.job.state == .error)
                message = outcome.job.error?.message ?? ""
            } catch let error as EngineError {
                message = error.message
            }
            // What is refused at once does not tell a path of the host to whoever asks.
            #expect(
                message.contains(runtime == "process" ? "process runtime" : "slipway/none:0"), "\(message)")
            try await engine.shutdownLeavingNothing()
        }
    }
}
