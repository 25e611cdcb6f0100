import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Variables and secrets up to what one frame holds.
    @Suite("Sizes of variables", .serialized)
    struct EnvironmentSizeTests {
        private static let source = """
            import os
            def main(): return sum(len(value) for name, value in os.environ.items() if name.startswith("V_"))
            """

        /// Variables of exactly so many bytes as JSON.
        private func env(bytes: Int, of text: String) -> [String: String] {
            let room = bytes - EnvironmentSize.bytes(of: ["V_A": ""])
            let unit = EnvironmentSize.bytes(of: ["V_A": text]) - EnvironmentSize.bytes(of: ["V_A": ""])
            return ["V_A": String(repeating: text, count: room / unit) + String(repeating: "y", count: room % unit)]
        }

        @Test("a secret whose source is gone ends its job and is no empty variable", arguments: runtimesHere)
        func missingSecret(_ runtime: String) async throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("token", "value\n")
            let test = try await TestEngine.start(runtime, environment: [:]) {
                $0.secrets = ["FILE": .file(file), "UNSET": .environment("NOT_SET_HERE")]
            }
            let source = "import os\ndef main(): return os.environ['FILE']"
            #expect(try await test.run(source: source) { $0.secrets = ["FILE"] }.value == "value")
            try FileManager.default.removeItem(atPath: file)
            for name in ["FILE", "UNSET"] {
                let outcome = try await test.run(source: source) { $0.secrets = [name] }
                #expect(outcome.job.error?.kind == .startFailed, "\(outcome.summary)")
                #expect(outcome.job.error?.type == "SecretMissing")
                #expect(outcome.job.error?.message.contains("secrets.\(name)") == true, "\(outcome.summary)")
                #expect(!outcome.summary.contains(folder.path))
            }
            try await test.shutdownLeavingNothing()
        }

        @Test("variables at the limit reach the task, and one byte more is refused", arguments: runtimesHere)
        func limit(_ runtime: String) async throws {
            let test = try await TestEngine.start(runtime)
            for text in ["x", "\n", "\u{1}"] {
                let most = env(bytes: EnvironmentSize.limitBytes, of: text)
                let outcome = try await test.run(source: Self.source) {
                    $0.env = most
                    $0.name = String(repeating: "\u{1}", count: 255)
                }
                #expect(outcome.value == .integer(Int64(most["V_A"]?.utf8.count ?? 0)), "\(outcome.summary)")
                let error = await #expect(throws: EngineError.self) {
                    try await test.run(source: Self.source) {
                        $0.env = env(bytes: EnvironmentSize.limitBytes + 1, of: text)
                    }
                }
                #expect(error?.code == .invalidRequest)
                #expect(error?.faults.map { "\($0.pointer) \($0.code)" } == ["/env out-of-range"])
                #expect(error?.message.contains("\(EnvironmentSize.limitBytes) bytes") == true)
            }
            try await test.shutdownLeavingNothing()
        }

        @Test("secrets count with the variables, when the job is submitted and when it starts", arguments: runtimesHere)
        func secrets(_ runtime: String) async throws {
            let folder = try TemporaryFolder()
            let file = folder.path + "/secret"
            let most = EnvironmentSize.limitBytes - EnvironmentSize.bytes(of: ["V_S": ""])
            func write(_ count: Int) throws {
                try Data(repeating: UInt8(ascii: "s"), count: count).write(to: URL(fileURLWithPath: file))
            }
            let test = try await TestEngine.start(runtime) {
                $0.secrets = ["V_S": .file(file)]
                $0.pools.defaults.max = 1
                $0.pools.defaults.minIdle = 0
            }
            func faults(_ env: [String: String]) async -> [String] {
                let error = await #expect(throws: EngineError.self) {
                    try await test.run(source: Self.source) {
                        $0.secrets = ["V_S"]
                        $0.env = env
                    }
                }
                return error?.faults.map { "\($0.pointer) \($0.code)" } ?? []
            }
            try write(most)
            let full = try await test.run(source: Self.source) { $0.secrets = ["V_S"] }
            #expect(full.value == .integer(Int64(most)), "\(full.summary)")
            #expect(await faults(["V_A": ""]) == ["/env out-of-range"])
            try write(most + 1)
            #expect(await faults([:]) == ["/secrets out-of-range"])
            try write(10)
            let gate = JobRequest(task: .source("import time\ndef main(): time.sleep(1.5)"))
            let running = try await test.engine.submit(gate)
            try await test.reach(.running, running.id)
            var request = JobRequest(task: .source(Self.source))
            request.secrets = ["V_S"]
            request.retry.maxAttempts = 3
            let waiting = try await test.engine.submit(request)
            try write(100_000)
            let refused = try await test.end(of: waiting.id)
            #expect(refused.job.error?.kind == .startFailed, "\(refused.summary)")
            #expect(refused.job.error?.message.contains("\(EnvironmentSize.limitBytes) bytes") == true)
            #expect(refused.job.attempt == 1)
            let next = try await test.run(source: "def main(): return 1")
            #expect(next.job.sandbox == full.job.sandbox && next.job.start == .warm, "\(next.summary)")
            try await test.shutdownLeavingNothing()
        }
    }
}
