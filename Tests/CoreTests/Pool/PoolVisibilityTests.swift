import SlipwayCore
import Testing

@Suite("What a tenant sees of the pools")
struct PoolVisibilityTests {
    private func size(_ megabytes: Int, pool: String? = nil) -> SandboxClass {
        var sandboxClass = PoolBench.sandboxClass
        sandboxClass.memoryBytes = megabytes << 20
        sandboxClass.pool = pool
        return sandboxClass
    }

    private func seen(_ bench: PoolBench, by tenant: String?) -> [PoolStatus] {
        bench.machine.status(for: tenant.flatMap { TenantID($0) }, now: bench.now)
    }

    @Test("sizes that others ask for are not shown, in whatever state their sandboxes are")
    func others() throws {
        var bench = PoolBench(PoolBench.rules(pauseAfter: 5))
        bench.ask("ann", of: size(300))
        #expect(seen(bench, by: "ann").map(\.starting) == [1])
        #expect(seen(bench, by: "bob").isEmpty)
        #expect(seen(bench, by: nil).count == 1)
        let grants = bench.answerAll()
        #expect(seen(bench, by: "bob").isEmpty)
        bench.release(try #require(grants.first).sandbox)
        #expect(seen(bench, by: "ann").map(\.warm) == [1])
        #expect(seen(bench, by: "bob").isEmpty)
    }

    @Test("a pool whose sandboxes are frozen is still its tenant's, and so is one that has gone cold")
    func paused() throws {
        var bench = PoolBench(PoolBench.rules(idleTTL: 60, pauseAfter: 5))
        bench.ask("ann", of: size(300))
        bench.release(try #require(bench.answerAll().first).sandbox)
        bench.now = 10
        bench.send(.tick)
        _ = bench.answerAll()
        #expect(seen(bench, by: "ann").map(\.paused) == [1])
        #expect(seen(bench, by: "bob").isEmpty)
        bench.now = 100
        bench.send(.tick)
        _ = bench.answerAll()
        #expect(seen(bench, by: "ann").map(\.destroyed) == [["idle": 1]])
        #expect(seen(bench, by: "bob").isEmpty)
    }

    @Test("of a declared class a tenant sees its own, and nothing of what others start and remove there")
    func declared() throws {
        var bench = PoolBench(PoolBench.rules(max: 4))
        let shared = size(300, pool: "shared")
        bench.ask("ann", of: shared)
        #expect(seen(bench, by: "ann").map(\.starting) == [1])
        #expect(seen(bench, by: "bob").map(\.starting) == [0])
        #expect(seen(bench, by: "bob").map(\.waitsFor) == [nil])
        let sandbox = try #require(bench.answerAll().first).sandbox
        bench.send(.lost(sandbox, reason: "gone"))
        #expect(seen(bench, by: "ann").map(\.destroying) == [1])
        #expect(seen(bench, by: "bob").map(\.destroying) == [0])
        #expect(seen(bench, by: nil).map(\.destroying) == [1])
    }
}
