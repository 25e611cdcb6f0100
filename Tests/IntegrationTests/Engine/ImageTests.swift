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

        @Test(
            "a lambda runs on an image without cloudpickle, which is installed for the first one alone",
            .enabled("this machine has no cloudpickle of Python 3.11") { HostPython.cloudpickleVersion == "3.11" },
            .enabled("builders reach no index", PackageIndex.answers))
        func lambda() async throws {
            // One of its own: callables of other tests have cloudpickle installed, too.
            let engine = try await TestEngine.start("docker") { $0.pools.defaults.minIdle = 0 }
            let pickle = try await HostPython.pickle("((lambda n: (lambda x: x * n))(2), (21,), {})")
            var request = JobRequest(task: .callable(pickle: pickle, python: "3.11"))
            request.image = "slipway/python-bare:3.11"
            var installations: [[String]] = []
            for _ in 0..<2 {
                let outcome = try await engine.run(request, within: .seconds(180))
                #expect(outcome.job.state == .completed, "\(outcome.summary)")
                // BININT1 42, STOP.
                #expect(outcome.result?.bytes.suffix(3) == [0x4B, 42, 0x2E])
                let messages = try await engine.events(outcome.job.id).compactMap { $0["message"]?.text }
                installations.append(messages.filter { $0.hasPrefix("installing ") })
            }
            #expect(installations == [["installing cloudpickle"], []])
            try await engine.shutdownLeavingNothing()
        }
    }
}
