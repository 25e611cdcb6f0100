import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// What published escapes and their relatives try, as real tasks in real sandboxes: all of it is refused.
    @Suite(
        "Escapes", .serialized, .engines { $0.pools.defaults.max = 1 },
        .enabled("needs a container engine") { hasContainers() })
    struct EscapeTests {
        private func isDenied(_ attempt: EscapeAttempt) async throws {
            let engine = try await sharedEngine("docker")
            let before = try await engine.run(source: "def main(): pass")
            let outcome = try await engine.run(source: attempt.source) { $0.timeout = .seconds(20) }
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            #expect(outcome.value == .null, "it succeeded")
            let after = try await engine.run(source: "def main(): pass")
            #expect(before.job.sandbox == after.job.sandbox, "the sandbox did not survive the attempt")
        }

        @Test("by way of other processes", arguments: EscapeAttempt.processes)
        func processes(_ attempt: EscapeAttempt) async throws { try await isDenied(attempt) }

        @Test("by way of the kernel's interfaces", arguments: EscapeAttempt.kernel)
        func kernel(_ attempt: EscapeAttempt) async throws { try await isDenied(attempt) }

        @Test("by way of files", arguments: EscapeAttempt.files)
        func files(_ attempt: EscapeAttempt) async throws { try await isDenied(attempt) }

        @Test("an attempt that succeeds is seen to succeed")
        func control() async throws {
            let engine = try await sharedEngine("docker")
            let harmless = EscapeAttempt(
                "opens a file of its own", "def attempt(): return refused(lambda: open('mine', 'w'))")
            let outcome = try await engine.run(source: harmless.source)
            #expect(outcome.value?.text?.contains("came back") == true, "\(outcome.summary)")
            let call = EscapeAttempt("asks for its number", "def attempt(): return got('pidfd_open', os.getpid(), 0)")
            #expect(try await engine.run(source: call.source).value != .null)
        }
    }
}
