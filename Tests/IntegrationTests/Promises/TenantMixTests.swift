import SlipwayCore
import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
    /// A long version of a test on live containers.
    static var soak: Self { .enabled("a long version; make soak runs it") { Soak.isOn() && hasContainers() } }
}

extension LiveJobs {
    /// Promise 6: no sandbox serves two tenants, and no task sees anything of an earlier one.
    @Suite("Tenants in turn", .serialized, .enabled("no container engine answers", hasContainers))
    struct TenantMixTests {
        @Test(
            "tasks of 5 tenants on 3 sandboxes: none is shared, nothing is seen of earlier tasks",
            arguments: [(Configuration.Docker.Transport.unix, 110), (.attach, 40)])
        func mix(_ transport: Configuration.Docker.Transport, tasks: Int) async throws {
            try await TenantMixing.run(tasks: tasks, over: transport)
        }
    }

    /// The long version of ``TenantMixTests``.
    @Suite(.serialized, .soak) struct TenantMixSoakTests {
        /// Where there are fewer sandboxes than tenants most turns cost a start; where there are more, most tasks find
        /// what an earlier one left in the same sandbox.
        @Test("10,000 tasks of 5 tenants", arguments: [(3, 1_000), (10, 9_000)])
        func mix(_ sandboxes: Int, tasks: Int) async throws {
            let report = try await TenantMixing.run(tasks: Soak.count(tasks), sandboxes: sandboxes)
            Soak.report(
                "\(report.tasks) tasks of 5 tenants on \(sandboxes) sandboxes at a time: \(report.plants) left traces, "
                    + "\(report.looks) looked, \(report.sandboxes) sandboxes in all, each of one tenant, nothing seen")
        }
    }
}

private enum TenantMixing {
    @discardableResult
    static func run(
        tasks: Int, sandboxes: Int = 3, over transport: Configuration.Docker.Transport = .auto
    ) async throws -> TenantMix.Report {
        let engine = try await TestEngine.start("docker") {
            $0.docker.transport = transport
            $0.pools.defaults.max = sandboxes
            $0.sandbox.tmpBytes = 32 << 20
            // The processors of a sandbox are then only what a task made of them.
            $0.sandbox.pinBusy = false
        }
        let mix = TenantMix(engine, tasks: tasks, seed: Soak.seed(6))
        let report = try await mix.run(callers: 8)
        for fault in await mix.faults { Issue.record("\(fault)") }
        // A run in which hardly anything happened would find nothing.
        #expect(report.looks > tasks / 3 && report.plants > tasks / 3, "\(report)")
        #expect(report.sandboxes >= TenantMix.tenants.count && report.sandboxes < tasks, "\(report)")
        try await engine.shutdownLeavingNothing()
        return report
    }
}
