import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Environments of jobs that the limits of their tenant keep back.
    @Suite("Environments of jobs that are kept back", .serialized)
    struct HeldEnvironmentTests {
        private static let sleeper = "import time\ndef main(): time.sleep(120)"

        private let wheels: TemporaryFolder

        init() throws {
            wheels = try TemporaryFolder()
            _ = try WheelFolder.make(in: wheels.path + "/wheels")
        }

        @Test("an environment stays while its only job waits for the tenant's share", arguments: runtimesHere)
        func held(runtime: String) async throws {
            let engine = try await TestEngine.start(runtime) { configuration in
                configuration.environments.network = "none"
                configuration.environments.findLinks = [wheels.path + "/wheels"]
                configuration.tenants.defaults.running = 1
            }
            var request = JobRequest(task: .source("def main():\n    import slipdemo\n    return slipdemo.version"))
            request.requirements = ["slipdemo==1.0"]
            let made = try await engine.engine.buildEnvironment(for: request, waitingUpTo: .seconds(120))
            #expect(made.state == .ready, "\(made)")
            let running = try await engine.engine.submit(JobRequest(task: .source(Self.sleeper)))
            try await engine.reach(.running, running.id)
            let held = try await engine.engine.submit(request)
            try await waitUntil("it waits for the tenant's other job") {
                try await engine.engine.job(held.id).message?.contains("the tenant's other jobs") == true
            }
            // What was handed out a moment ago stays in any case.
            try await Task.sleep(for: .seconds(5.2))
            #expect(try await engine.engine.pruneEnvironments().isEmpty)
            _ = try await engine.engine.cancel(running.id)
            let outcome = try await engine.end(of: held.id)
            #expect(outcome.value == "1.0", "\(outcome.summary)")
            try await engine.shutdownLeavingNothing()
        }
    }
}
