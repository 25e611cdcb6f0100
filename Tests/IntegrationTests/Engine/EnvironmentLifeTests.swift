import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Environments as jobs meet them.
    @Suite("Environments of jobs", .serialized)
    struct EnvironmentLifeTests {
        /// An engine that mounts no folder of this machine.
        private static let volumesHere = ContainerEngine.answers ? ["volumes"] : []

        private let wheels: TemporaryFolder

        init() throws {
            wheels = try TemporaryFolder()
            _ = try WheelFolder.make(in: wheels.path + "/wheels")
        }

        private func start(_ runtime: String, _ tweak: (inout Configuration) -> Void = { _ in }) async throws
            -> TestEngine
        {
            try await TestEngine.start(runtime) { configuration in
                configuration.environments.network = "none"
                configuration.environments.findLinks = [wheels.path + "/wheels"]
                configuration.pools.defaults.max = 1
                tweak(&configuration)
            }
        }

        private func request(_ requirement: String) -> JobRequest {
            var request = JobRequest(
                task: .source("def main():\n    import slipdemo\n    print('ran')\n    return slipdemo.version"))
            request.requirements = [requirement]
            return request
        }

        @Test(
            "a job that waits for its environment tells what the installer says, apart from its own output",
            arguments: runtimesHere + Self.volumesHere)
        func events(runtime: String) async throws {
            let engine = try await start(runtime)
            let first = try await engine.run(request("slipdemo==1.0"), within: .seconds(120))
            #expect(first.value == "1.0", "\(first.summary)")
            let events = try await engine.events(first.job.id)
            let said = events.filter { $0["type"] == "log" && $0["stream"] == "build" }.compactMap { $0["data"]?.text }
                .joined()
            #expect(said.contains("Successfully installed"), "\(said)")
            #expect(said.contains("slipdemo 1.0 in "), "\(said)")
            #expect(events.contains { $0["message"]?.text?.hasPrefix("installing slipdemo==1.0") == true })
            #expect(try await engine.logs(first.job.id, .all) == "ran\n")
            #expect(try await engine.logs(first.job.id, .build) == said)
            let second = try await engine.run(request("slipdemo==1.0"))
            let later = try await engine.events(second.job.id)
            #expect(!later.contains { $0["stream"] == "build" })
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "a job whose sandboxes end before it can begin is started in others, but not for ever",
            arguments: runtimesHere)
        func neverBegun(runtime: String) async throws {
            let engine = try await start(runtime) { $0.pools.defaults.startBackoff = .milliseconds(100) }
            var request = request("slipfatal==1.0")
            request.preload = ["slipfatal"]
            let outcome = try await engine.run(request, within: .seconds(120))
            #expect(outcome.job.error?.kind == .startFailed, "\(outcome.summary)")
            #expect(outcome.job.error?.message.contains("3 sandboxes ended before the task could begin") == true)
            #expect(outcome.job.attempt == 1, "none of them counts as an attempt")
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "what a living sandbox uses is never removed, what nothing uses is, and comes back when it is needed",
            arguments: runtimesHere + Self.volumesHere)
        func pruning(runtime: String) async throws {
            let engine = try await start(runtime)
            #expect(try await engine.run(request("slipdemo==1.0"), within: .seconds(120)).value == "1.0")
            let first = try #require(await engine.engine.environments().first)
            #expect(first.isUsed)
            try await Task.sleep(for: .seconds(5.2))
            // The sandbox is idle, and keeps it all the same.
            #expect(try await engine.engine.pruneEnvironments().isEmpty)
            #expect(try await engine.run(request("slipdemo==1.0")).value == "1.0")
            #expect(try await engine.run(request("slipdemo==2.0"), within: .seconds(120)).value == "2.0")
            try await Task.sleep(for: .seconds(5.2))
            #expect(try await engine.engine.pruneEnvironments(ids: ["none"]).isEmpty)
            #expect(try await engine.engine.pruneEnvironments(unusedFor: .hours(1)).isEmpty)
            #expect(try await engine.engine.pruneEnvironments().map(\.id) == [first.id])
            #expect(await engine.engine.environments().count == 1)
            #expect(try await engine.run(request("slipdemo==1.0"), within: .seconds(120)).value == "1.0")
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "when all are too large, the one that was used longest ago goes, unless a living sandbox uses it",
            arguments: runtimesHere + Self.volumesHere)
        func eviction(runtime: String) async throws {
            let probe = try await start(runtime)
            #expect(try await probe.run(request("slipdemo==1.0"), within: .seconds(120)).value == "1.0")
            let size = try #require(await probe.engine.environments().first).bytes
            try await probe.shutdownLeavingNothing()
            let engine = try await start(runtime) { $0.environments.maxTotalBytes = size * 2 - 1 }
            for version in ["1.0", "2.0"] {
                #expect(
                    try await engine.run(request("slipdemo==\(version)"), within: .seconds(120)).value
                        == .string(version))
            }
            // The first was in use, or just handed out, whenever it was looked for what could go.
            #expect(await engine.engine.environments().count == 2)
            try await Task.sleep(for: .seconds(5.2))
            let third = try await engine.run(request("slipneeds==1.0"), within: .seconds(120))
            #expect(third.value == "1.0", "\(third.summary)")
            try await waitUntil("the first is gone") {
                await engine.engine.environments().allSatisfy { !$0.requirements.contains("slipdemo==1.0") }
            }
            #expect(try await engine.run(request("slipneeds==1.0")).value == "1.0")
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "what is installed ahead serves the first job at once; a failure stands in the list",
            arguments: runtimesHere + Self.volumesHere)
        func ahead(runtime: String) async throws {
            let engine = try await start(runtime)
            let made = try await engine.engine.buildEnvironment(
                for: request("slipdemo==1.0"), waitingUpTo: .seconds(120))
            #expect(made.state == .ready, "\(made)")
            // cloudpickle comes along where the interpreter has none.
            #expect(made.packages.map(\.name).filter { $0 != "cloudpickle" } == ["slipdemo"])
            let outcome = try await engine.run(request("slipdemo==1.0"))
            #expect(outcome.value == "1.0", "\(outcome.summary)")
            #expect(try await engine.events(outcome.job.id).allSatisfy { $0["stream"] != "build" })
            let failed = try await engine.engine.buildEnvironment(
                for: request("slipdemo==9.9"), waitingUpTo: .seconds(120))
            #expect(failed.state == .failed)
            #expect(failed.error?.contains("slipdemo==9.9") == true, "\(failed)")
            #expect(failed.log.contains("ERROR: No matching distribution"), "\(failed.log)")
            let foreign = try #require(TenantID("other-tenant"))
            #expect(await engine.engine.environments(tenant: foreign).isEmpty)
            await #expect(throws: EngineError.self) {
                try await engine.engine.environment(made.id, tenant: foreign)
            }
            await #expect(throws: EngineError.self) {
                try await engine.engine.buildEnvironment(for: JobRequest(task: .source("def main(): pass")))
            }
            try await engine.shutdownLeavingNothing()
        }

        @Test(
            "a project must lie where it is allowed, symbolic links included; a change of it is seen",
            arguments: runtimesHere + Self.volumesHere)
        func project(runtime: String) async throws {
            let checkouts = wheels.path + "/checkouts"
            try ProjectFolder.make(in: checkouts + "/a", version: "1.5")
            try ProjectFolder.make(in: wheels.path + "/outside", version: "1.5")
            try FileManager.default.createSymbolicLink(
                atPath: checkouts + "/link", withDestinationPath: wheels.path + "/outside")
            let engine = try await start(runtime) { $0.environments.projectAllow = [checkouts] }
            var request = JobRequest(
                task: .source("def main():\n    import slipproject\n    return slipproject.version"))
            request.project = checkouts + "/a"
            let first = try await engine.run(request, within: .seconds(120))
            #expect(first.value == "1.5", "\(first.summary)")
            try ProjectFolder.make(in: checkouts + "/a", version: "1.6")
            let second = try await engine.run(request, within: .seconds(120))
            #expect(second.value == "1.6", "\(second.summary)")
            request.project = checkouts + "/link"
            let third = try await engine.run(request, within: .seconds(60))
            #expect(third.job.error?.kind == .dependency)
            #expect(third.job.error?.message.contains("environments.project_allow") == true, "\(third.summary)")
            request.project = wheels.path + "/outside"
            let error = await #expect(throws: EngineError.self) { try await engine.engine.submit(request) }
            #expect(error?.code == .notAllowed)
            try await engine.shutdownLeavingNothing()
        }
    }
}
