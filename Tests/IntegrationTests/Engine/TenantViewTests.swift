import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// What tenants learn of each other, and of the host.
    @Suite("What tenants see", .serialized)
    struct TenantViewTests {
        private static let one = "def main(): return 1"

        @Test("sizes that another tenant asks for are in nobody else's list", arguments: runtimesHere)
        func sizes(_ runtime: String) async throws {
            let test = try await TestEngine.start(runtime) { $0.pools.defaults.minIdle = 0 }
            let (ann, bob) = (try #require(TenantID("ann")), TenantID.default)
            var odd = JobRequest(task: .source(Self.one))
            odd.resources.memoryBytes = 123 << 20
            odd.resources.cpus = 0.5
            // Local processes serve the tenant `default` alone.
            let (owner, other) = runtime == "process" ? (bob, ann) : (ann, bob)
            let outcome = try await test.engine.submit(odd, tenant: owner, waitingUpTo: .seconds(60))
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            #expect(await test.engine.pools(for: owner).contains { $0.memoryBytes == 123 << 20 })
            #expect(await !test.engine.pools(for: other).contains { $0.memoryBytes == 123 << 20 })
            #expect(await test.engine.pools().contains { $0.memoryBytes == 123 << 20 })
            try await test.shutdownLeavingNothing()
        }

        @Test(
            "why sandboxes do not start is told to the operator, without a path to tenants",
            .enabled("no container engine answers", hasContainers))
        func paths() async throws {
            let test = try await TestEngine.start("docker") {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.startBackoff = .milliseconds(100)
                $0.pools.defaults.startBackoffMax = .milliseconds(200)
            }
            let ann = try #require(TenantID("ann"))
            let folder = test.folder.path + "/data/environments"
            try FileManager.default.moveItem(atPath: folder, toPath: folder + "-moved")
            let outcome = try await test.engine.submit(
                JobRequest(task: .source(Self.one)), tenant: ann, waitingUpTo: .seconds(60))
            let message = try #require(outcome.job.error?.message)
            #expect(outcome.job.error?.kind == .startFailed)
            #expect(!message.contains(test.folder.path), "\(message)")
            #expect(message.contains("a mount is not possible"), "\(message)")
            let own = try #require(await test.engine.pools(for: ann).first?.lastError)
            #expect(!own.contains(test.folder.path), "\(own)")
            let whole = try #require(await test.engine.pools().first?.lastError)
            #expect(whole.contains(folder), "\(whole)")
            let operators = try await test.run(source: Self.one)
            let told = try #require(operators.job.error?.message)
            #expect(told.contains("[path on the host]") && !told.contains(test.folder.path), "\(told)")
            try FileManager.default.moveItem(atPath: folder + "-moved", toPath: folder)
            try await test.shutdownLeavingNothing()
        }
    }
}
