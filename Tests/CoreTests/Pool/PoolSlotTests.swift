import SlipwayCore
import Testing

/// Several tasks in one sandbox.
@Suite struct PoolSlotTests {
    private func grants(_ actions: [PoolAction]) -> [PoolBench.Grant] {
        actions.compactMap { action in
            guard case .grant(let request, let sandbox, let start, let slot) = action else { return nil }
            return PoolBench.Grant(request, sandbox, start, slot)
        }
    }

    @Test func oneSandboxIsStartedForAsManyRequestsAsItHasSlots() throws {
        var bench = PoolBench(PoolBench.rules(max: 4), slots: 3)
        var starts = 0
        for _ in 0..<3 {
            bench.ask("ann")
            starts += bench.actions.count
        }
        #expect(starts == 1)
        bench.actions = bench.machine.phases.keys.map { .start($0, bench.sandboxClass) }
        let grants = bench.answerAll()
        #expect(Set(grants.map(\.sandbox)).count == 1)
        #expect(grants.map(\.slot) == [0, 1, 2])
        bench.ask("ann")
        #expect(bench.answerAll().count == 1)
        #expect(bench.status?.busy == 2 && bench.status?.running == 4)
    }

    @Test func aFreeSlotServesTheSameKindOnly() throws {
        var bench = PoolBench(PoolBench.rules(max: 4), slots: 2)
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        let beside = bench.ask("ann")
        #expect(grants(bench.actions) == [PoolBench.Grant(beside, first.sandbox, .warm, 1)])
        bench.release(first.sandbox, slot: 1)
        bench.ask("bob")
        #expect(bench.answerAll().allSatisfy { $0.sandbox != first.sandbox })
        bench.ask("ann", "other")
        #expect(bench.answerAll().allSatisfy { $0.sandbox != first.sandbox })
    }

    @Test func anEndingSandboxTakesNoMoreAndGoesWithItsLastTask() throws {
        var bench = PoolBench(PoolBench.rules(max: 1, maxUses: 2), slots: 2)
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        bench.ask("ann")
        bench.release(first.sandbox, slot: 0)
        #expect(bench.actions.isEmpty)
        let next = bench.ask("ann")
        #expect(bench.actions.isEmpty, "it has had its number of leases")
        bench.release(first.sandbox, slot: 1)
        #expect(bench.actions == [.destroy(first.sandbox, .maxUses)])
        #expect(bench.answerAll().map(\.request) == [next])
    }

    @Test func anUncleanSlotEndsTheSandboxAfterItsNeighbours() throws {
        var bench = PoolBench(PoolBench.rules(max: 1), slots: 2)
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        bench.ask("ann")
        bench.release(first.sandbox, slot: 0, clean: false)
        #expect(bench.actions.isEmpty)
        bench.release(first.sandbox, slot: 0)
        #expect(bench.actions.isEmpty, "a slot is released once")
        bench.release(first.sandbox, slot: 1)
        #expect(bench.actions == [.destroy(first.sandbox, .unclean)])
    }

    @Test func anotherKindIsNotPassedOverForEver() throws {
        var bench = PoolBench(PoolBench.rules(max: 1), slots: 2)
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        let other = bench.ask("ann", "other")
        var held = [0]
        for _ in 0..<200 {
            bench.ask("ann")
            held += grants(bench.actions).map(\.slot)
            bench.release(first.sandbox, slot: held.removeFirst())
            held += grants(bench.actions).map(\.slot)
            if held.isEmpty { break }
        }
        #expect(held.isEmpty, "the sandbox is emptied for the other kind")
        #expect(bench.answerAll().map(\.request) == [other])
    }

    @Test func anotherTenantGetsItsShareOfASharedPool() throws {
        var bench = PoolBench(PoolBench.rules(max: 2), slots: 2)
        for _ in 0..<4 { bench.ask("ann") }
        bench.actions = bench.machine.phases.keys.sorted().map { .start($0, bench.sandboxClass) }
        var leases = bench.answerAll()
        for _ in 0..<4 { bench.ask("ann") }
        let request = bench.ask("bob")
        for _ in 0..<20 where !leases.isEmpty {
            let lease = leases.removeFirst()
            bench.release(lease.sandbox, slot: lease.slot)
            let more = bench.answerAll()
            leases += more
            if more.contains(where: { $0.request == request }) { return }
        }
        Issue.record("bob was not served while ann had the whole pool")
    }
}
