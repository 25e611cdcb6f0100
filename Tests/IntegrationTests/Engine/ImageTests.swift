import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Images that cannot run tasks, and those that barely can.
    @Suite("Images", .serialized, .enabled("no container engine answers", hasContainers), .engines())
    struct ImageTests {
        @Test("an image that is missing is named before anything runs")
        func missing() async throws {
            let outcome = try await sharedEngine("docker").run(source: "def main(): pass") {
                $0.image = "slipway/no-such-image:1"
            }
            #expect(outcome.job.error?.kind == .startFailed, "\(outcome.summary)")
            #expect(outcome.job.error?.message.contains("slipway/no-such-image:1") == true)
            #expect(outcome.job.attempt == 0)
        }

        @Test("an image without Python is refused with what to do")
        func withoutPython() async throws {
            let outcome = try await sharedEngine("docker").run(source: "def main(): pass") {
                $0.image = "slipway/no-python"
                $0.queueTimeout = .seconds(20)
            }
            #expect(outcome.job.error?.kind == .startFailed, "\(outcome.summary)")
            #expect(outcome.job.error?.message.contains("python3") == true, "\(outcome.summary)")
            #expect(outcome.job.attempt == 0)
        }

        @Test("an image with nothing but python3 runs source, commands and plain callables")
        func barePython() async throws {
            let engine = try await sharedEngine("docker")
            let tasks: [TaskSpec] = [
                .source("def main(): return 1"), .command(["python3", "-c", "print(1)"]),
                .callable(pickle: Array("(coperator\nadd\n(I2\nI3\nt(dt.".utf8)),
            ]
            for task in tasks {
                var request = JobRequest(task: task)
                request.image = "slipway/python-bare:3.11"
                let outcome = try await engine.run(request, within: .seconds(120))
                #expect(outcome.job.state == .completed, "\(outcome.summary)")
            }
        }
    }
}
