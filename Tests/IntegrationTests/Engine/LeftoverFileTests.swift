import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Files that nothing refers to.
    @Suite("Leftover files", .serialized)
    struct LeftoverFileTests {
        private func artifacts(_ engine: TestEngine, of id: JobID) -> [String] {
            let folder = engine.folder.path + "/data/artifacts"
            let all = (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? []
            return all.filter { $0.contains(id.description) }
        }

        @Test("the large result and log of an attempt that was fenced off are removed")
        func fenced() async throws {
            let engine = try await TestEngine.start("process")
            let source = """
                import os, time
                def main():
                    print(os.urandom(100_000).hex())
                    time.sleep(2)
                    return os.urandom(100_000).hex()
                """
            let kept = try await engine.engine.submit(JobRequest(task: .source(source)))
            let fenced = try await engine.engine.submit(JobRequest(task: .source(source)))
            try await waitUntil("it runs") { try await !engine.logs(fenced.id).isEmpty }
            // Another end of the same attempt, as if a newer owner of the job had stored it.
            let attempt = try await engine.engine.job(fenced.id).attempt
            let end = JobFinish(
                attempt: JobAttempt(id: fenced.id, attempt: attempt), state: .cancelled, timings: .init(),
                finishedAt: Date())
            #expect(try await engine.engine.store.perform(.finish(end)) == .applied(true))
            _ = try await engine.end(of: kept.id)
            _ = try await engine.engine.wait(for: fenced.id, upTo: .seconds(30))
            try await waitUntil("its files are gone") {
                artifacts(engine, of: fenced.id).filter { !$0.contains(".in.") }.isEmpty
            }
            #expect(try await engine.engine.job(fenced.id).state == .cancelled)
            #expect(artifacts(engine, of: kept.id).filter { !$0.contains(".in.") }.count == 2)
            #expect(try await engine.engine.result(of: kept.id).result != nil)
            try await engine.shutdownLeavingNothing()
        }

        @Test("byte code in the making that a crash left is removed at the next start")
        func drafts() async throws {
            let folder = try TemporaryFolder()
            let copies = folder.path + "/data/runner/0123.bytecode"
            for name in ["draft-1", "draft-2/__pycache__", "abcdef"] {
                try FileManager.default.createDirectory(
                    atPath: copies + "/" + name, withIntermediateDirectories: true)
            }
            let engine = try await TestEngine.start("process", in: folder)
            #expect(try FileManager.default.contentsOfDirectory(atPath: copies) == ["abcdef"])
            try await engine.shutdownLeavingNothing()
        }
    }
}
