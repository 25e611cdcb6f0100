import SlipwayCore
import Testing

/// What tenants may take from each other, and what a reload and a full host take from all.
@Suite struct PoolFairnessTests {
    /// Gives a tenant so many sandboxes, all of them free afterwards.
    private func warm(_ bench: inout PoolBench, _ tenant: String, _ count: Int) {
        var grants: [PoolBench.Grant] = []
        for _ in 0..<count {
            bench.ask(tenant)
            grants += bench.answerAll()
        }
        for grant in grants { bench.release(grant.sandbox, slot: grant.slot) }
    }

    @Test func nobodyIsBroughtBelowItsShareByEviction() throws {
        var bench = PoolBench(PoolBench.rules(max: 4))
        warm(&bench, "ann", 4)
        #expect(bench.status?.warm == 4)
        var evicted = 0
        for _ in 0..<4 {
            bench.ask("bob")
            evicted += bench.actions.count { if case .destroy(_, .evicted) = $0 { true } else { false } }
            _ = bench.answerAll()
        }
        #expect(evicted == 2, "ann keeps half of the pool")
        #expect(bench.machine.status(for: TenantID("ann"), now: bench.now).first?.warm == 2)
        #expect(bench.status?.waiting == 2)
    }

    @Test func aTenantThatHasLongBeenAwayKeepsNothingFromOthers() throws {
        var bench = PoolBench(PoolBench.rules(max: 4, idleTTL: 600))
        warm(&bench, "ann", 4)
        bench.now = 61
        for _ in 0..<4 {
            bench.ask("bob")
            _ = bench.answerAll()
        }
        #expect(bench.status?.waiting == 0 && bench.status?.busy == 4)
    }

    @Test func aFreeSandboxThatItsTenantKeepsKeepsNobodyFromYielding() throws {
        var bench = PoolBench(PoolBench.rules(max: 3))
        warm(&bench, "cid", 1)
        var leases: [PoolBench.Grant] = []
        for _ in 0..<4 {
            bench.ask("ann")
            leases += bench.answerAll()
        }
        try #require(leases.count == 2)
        let request = bench.ask("bob")
        #expect(bench.actions.isEmpty, "cid keeps what it has")
        bench.now = 3
        bench.release(leases[0].sandbox)
        #expect(bench.actions == [.destroy(leases[0].sandbox, .fairShare)])
        #expect(bench.answerAll().map(\.request) == [request])
    }

    @Test func aShareThatEndsIsNotKeptUntilSomethingElseHappens() throws {
        var bench = PoolBench(PoolBench.rules(max: 2, idleTTL: 600))
        warm(&bench, "ann", 1)
        bench.ask("bob")
        let busy = bench.answerAll()
        #expect(busy.count == 1)
        bench.now = 10
        let request = bench.ask("bob")
        #expect(bench.actions.isEmpty, "ann keeps her half for now")
        let next = try #require(bench.machine.nextDeadline)
        #expect(next == 60)
        bench.now = next
        bench.send(.tick)
        #expect(bench.answerAll().map(\.request) == [request])
    }

    @Test func moreTenantsThanSandboxesAreAllServed() throws {
        var bench = PoolBench(PoolBench.rules(max: 2))
        for name in ["ann", "bob", "cid", "dee", "eve"] {
            let request = bench.ask(name)
            let grants = bench.answerAll()
            #expect(grants.map(\.request) == [request], "\(name)")
            for grant in grants { bench.release(grant.sandbox) }
        }
    }

    @Test func tenantsTakeTurns() throws {
        var bench = PoolBench(PoolBench.rules(max: 4))
        var served: [String: Int] = [:]
        var names: [RequestID: String] = [:]
        var running: [PoolBench.Grant] = []
        func ask(_ name: String) {
            names[bench.ask(name)] = name
            running += bench.answerAll()
        }
        for _ in 0..<20 { ask("ann") }
        for _ in 0..<20 { ask("bob") }
        while !running.isEmpty, served.values.reduce(0, +) < 24 {
            bench.now += 0.1
            let grant = running.removeFirst()
            served[names[grant.request] ?? "", default: 0] += 1
            bench.release(grant.sandbox)
            running += bench.answerAll()
        }
        let (ann, bob) = (served["ann", default: 0], served["bob", default: 0])
        #expect(bob >= 8 && ann >= 8, "ann \(ann), bob \(bob)")
    }

    @Test func anotherTenantsCountsAreNotShown() throws {
        var bench = PoolBench(PoolBench.rules(max: 4))
        warm(&bench, "ann", 2)
        bench.ask("bob")
        _ = bench.answerAll()
        let bob = try #require(bench.machine.status(for: TenantID("bob"), now: bench.now).first)
        #expect(bob.warm == 0 && bob.busy == 1 && bob.running == 1)
        #expect(bob.hits.cold == 1 && bob.hits.warm == 0 && bob.hits.stem == 0)
        #expect(bob.waits.count == 1)
        let ann = try #require(bench.machine.status(for: TenantID("ann"), now: bench.now).first)
        #expect(ann.warm == 2 && ann.busy == 0 && ann.hits.cold == 2 && ann.destroyed.isEmpty)
        #expect(bench.status?.hits.cold == 3)
    }

    @Test func stemCellsFollowTheDemand() throws {
        var bench = PoolBench(PoolBench.rules(minIdle: 1, max: 60, idleTTL: 5, startingMax: 30))
        bench.send(.declare(PoolBench.sandboxClass))
        _ = bench.answerAll()
        for round in 0..<8 {
            var orders: [PoolAction] = []
            for number in 0..<4 {
                bench.ask("tenant\(round)-\(number)")
                orders += bench.actions
            }
            bench.now += 0.4
            bench.actions = orders
            _ = bench.answerAll()
        }
        let kept = try #require(bench.status?.stem)
        #expect(kept > 1, "more are kept while they are taken quickly")
        for _ in 0..<100 {
            guard let next = bench.machine.nextDeadline, next < 1000 else { break }
            bench.now = max(next, bench.now + 0.1)
            bench.send(.tick)
            _ = bench.answerAll()
        }
        #expect(bench.status?.stem == 1)
    }

    @Test func otherRulesHoldAtOnceAndAGoneClassIsGivenUp() throws {
        var bench = PoolBench(PoolBench.rules(minIdle: 1, max: 4))
        bench.send(.declare(PoolBench.sandboxClass))
        _ = bench.answerAll()
        warm(&bench, "ann", 3)
        bench.actions = bench.machine.reload(policy: { _ in PoolBench.rules(max: 1) }, now: bench.now)
        let surplus = bench.actions.count { if case .destroy(_, .surplus) = $0 { true } else { false } }
        #expect(surplus == 3)
        _ = bench.answerAll()
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        bench.send(.undeclare(PoolBench.sandboxClass))
        #expect(bench.machine.phases[grant.sandbox] == .leased)
        bench.release(grant.sandbox)
        #expect(bench.actions == [.destroy(grant.sandbox, .reload)])
        _ = bench.answerAll()
        #expect(bench.machine.isEmpty)
        let late = bench.ask("ann")
        #expect(bench.answerAll().map(\.request) == [late], "what waits for a class that is gone is still served")
    }
}
