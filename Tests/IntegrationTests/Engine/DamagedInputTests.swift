import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Inputs that are no longer what was stored.
    @Suite("Damaged inputs", .serialized)
    struct DamagedInputTests {
        private static func start(in folder: TemporaryFolder) async throws -> TestEngine {
            try await TestEngine.start("process", in: folder) {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.max = 1
                $0.jobs.drainTimeout = .seconds(20)
            }
        }

        /// A task that takes a text, notes that it was begun, and waits for the file `go`.
        private static func request(_ folder: TemporaryFolder, _ text: String) -> JobRequest {
            let code = """
                import os, time
                def main(text):
                    with open("\(folder.path)/begun", "a") as ledger: ledger.write("x")
                    while not os.path.exists("\(folder.path)/go"): time.sleep(0.01)
                    return len(text)
                """
            return JobRequest(task: .source(code, args: [.string(text)]))
        }

        private static func begun(_ folder: TemporaryFolder) -> Int {
            FileManager.default.contents(atPath: folder.path + "/begun")?.count ?? 0
        }

        @Test("a queued job whose stored input was altered ends as artifact_corrupt and is not begun")
        func altered() async throws {
            let folder = try TemporaryFolder()
            let noise = Data((0..<150_000).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
            #expect(noise.utf8.count == 200_000)
            let first = try await Self.start(in: folder)
            let running = try await first.engine.submit(Self.request(folder, "short"))
            try await waitUntil("it runs") { Self.begun(folder) == 1 }
            let damaged = try await first.engine.submit(Self.request(folder, noise))
            let sound = try await first.engine.submit(Self.request(folder, noise))
            async let ended: Void = first.engine.shutdown()
            try await waitUntil("the engine ends") { await !first.engine.readiness().ready }
            try folder.write("go", "")
            await ended

            let artifacts = folder.path + "/data/artifacts"
            let name = try #require(
                try FileManager.default.subpathsOfDirectory(atPath: artifacts).first {
                    $0.hasSuffix("/\(damaged.id).in.z64")
                })
            let file = URL(fileURLWithPath: "\(artifacts)/\(name)")
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count / 2] = bytes[bytes.count / 2] == 0x41 ? 0x42 : 0x41
            try bytes.write(to: file)

            let second = try await Self.start(in: folder)
            let outcome = try await second.end(of: damaged.id)
            #expect(outcome.job.state == .error)
            #expect(outcome.job.error?.kind == .artifactCorrupt, "\(outcome.summary)")
            #expect(outcome.job.error?.message.contains("\(damaged.id)") == true, "\(outcome.summary)")
            #expect(try await second.end(of: sound.id).value == .integer(200_000))
            #expect(try await second.engine.job(running.id).state == .completed)
            #expect(Self.begun(folder) == 2, "the damaged one was begun")
            try await second.shutdownLeavingNothing()
        }
    }
}
