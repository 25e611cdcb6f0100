import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// How long a start may take, and what is said when it takes longer.
    @Suite("Limit of a start", .serialized)
    struct StartLimitTests {
        @Test("a runner that says nothing is given up after start_timeout, and the message names the key")
        func silentRunner() async throws {
            let folder = try TemporaryFolder()
            // Python for everything but the supervisor.
            let script = try folder.write(
                "silent", "#!/bin/sh\ncase \"$*\" in */runner/*) exec sleep 60 ;; esac\nexec python3 \"$@\"\n")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
            let engine = try await TestEngine.start("process") {
                $0.runtime.python = script
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.startTimeout = .seconds(1)
                $0.pools.defaults.startBackoff = .milliseconds(10)
                $0.pools.defaults.startBackoffMax = .milliseconds(10)
            }
            let outcome = try await engine.run(source: "def main(): return 1")
            let error = try #require(outcome.job.error)
            #expect(error.kind == .startFailed)
            #expect(
                error.message.contains("did not answer within 1s (pools.defaults.start_timeout)"), "\(error.message)")
            try await engine.shutdownLeavingNothing()
        }
    }
}
