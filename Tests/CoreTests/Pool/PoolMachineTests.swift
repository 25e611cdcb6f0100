import SlipwayCore
import Testing

@Suite struct PoolMachineTests {
    @Test func aReleasedSandboxGoesStraightToTheNextOfItsKind() throws {
        var bench = PoolBench(PoolBench.rules(max: 1))
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        #expect(first.start == .cold)
        let second = bench.ask("ann")
        #expect(bench.actions.isEmpty)
        bench.release(first.sandbox)
        #expect(bench.actions == [.grant(second, first.sandbox, .warm)])
    }

    @Test func stemCellsAreKeptAndGoToTheFirstWhoAsks() throws {
        var bench = PoolBench(PoolBench.rules(minIdle: 1))
        bench.send(.declare(PoolBench.sandboxClass))
        #expect(bench.answerAll().isEmpty)
        #expect(bench.status?.stem == 1)
        let request = bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        #expect(grant.request == request && grant.start == .stem)
        #expect(bench.status?.stem == 1, "the one that was taken is replaced")
        bench.now = 1000
        bench.send(.tick)
        #expect(bench.actions.isEmpty, "kept stem cells do not expire")
    }

    @Test func anotherEnvironmentOfTheTenantIsPreparedInAFreeSandbox() throws {
        var bench = PoolBench(PoolBench.rules(max: 2))
        bench.ask("ann", "one")
        let grant = try #require(bench.answerAll().first)
        bench.release(grant.sandbox)
        let request = bench.ask("ann", "two")
        #expect(bench.answerAll() == [PoolBench.Grant(request, grant.sandbox, .warm)])
        #expect(bench.status?.hits.respecialised == 1)
    }

    @Test func aFreeSandboxOfAnotherTenantMakesRoom() throws {
        var bench = PoolBench(PoolBench.rules(max: 1))
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        bench.release(grant.sandbox)
        let request = bench.ask("bob")
        #expect(bench.actions == [.destroy(grant.sandbox, .evicted)])
        let next = try #require(bench.answerAll().first)
        #expect(next.request == request && next.start == .cold && next.sandbox != grant.sandbox)
    }

    @Test func aTenantAboveItsShareYields() throws {
        var bench = PoolBench(PoolBench.rules(max: 2))
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        bench.ask("ann")
        _ = bench.answerAll()
        bench.ask("ann")
        let request = bench.ask("bob")
        bench.release(first.sandbox)
        #expect(bench.actions == [.destroy(first.sandbox, .fairShare)])
        #expect(bench.answerAll().map(\.request) == [request])
    }

    @Test func nobodyStarvesWhenTenantsAreMoreThanSandboxes() throws {
        var bench = PoolBench(PoolBench.rules(max: 1))
        bench.ask("ann")
        var current = try #require(bench.answerAll().first)
        let request = bench.ask("bob")
        for _ in 0..<1000 {
            bench.now += 0.01
            bench.ask("ann")
            bench.release(current.sandbox)
            current = try #require(bench.answerAll().first)
            if current.request == request { return }
        }
        Issue.record("bob waited for 1,000 jobs of ann")
    }

    @Test func higherPrioritiesGoFirst() throws {
        var bench = PoolBench(PoolBench.rules(max: 1))
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        let low = bench.ask("ann", priority: 0)
        let high = bench.ask("ann", "other", priority: 5)
        bench.release(grant.sandbox)
        #expect(bench.answerAll().map(\.request) == [high])
        bench.release(grant.sandbox)
        #expect(bench.answerAll().map(\.request) == [low])
    }

    @Test func theEarlierSubmittedGoesFirstAlsoWhenItAsksLater() throws {
        var bench = PoolBench(PoolBench.rules(max: 1))
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        let asked = [3, 1, 2].map { bench.ask("ann", turn: $0) }
        var order: [RequestID] = []
        for _ in asked {
            bench.release(grant.sandbox)
            order += bench.answerAll().map(\.request)
        }
        #expect(order == [asked[1], asked[2], asked[0]])
    }

    @Test func aRequestOfAnotherKindIsPassedOverOnlySoOften() throws {
        var bench = PoolBench(PoolBench.rules(max: 1))
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        let other = bench.ask("ann", "other")
        for passes in 0..<100 {
            let next = bench.ask("ann")
            bench.release(grant.sandbox)
            if bench.answerAll().map(\.request) == [other] {
                #expect(passes > 0)
                return
            }
            #expect(bench.actions == [.grant(next, grant.sandbox, .warm)])
        }
        Issue.record("the other environment was passed over for ever")
    }

    @Test func usesAndUncleanLeasesEndASandbox() throws {
        var bench = PoolBench(PoolBench.rules(maxUses: 2))
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        bench.release(grant.sandbox)
        #expect(bench.actions.isEmpty)
        bench.ask("ann")
        bench.release(grant.sandbox)
        #expect(bench.actions == [.destroy(grant.sandbox, .maxUses)])
        bench.ask("ann")
        let other = try #require(bench.answerAll().first)
        bench.release(other.sandbox, clean: false)
        #expect(bench.actions == [.destroy(other.sandbox, .unclean)])
    }

    @Test func timeEndsSandboxes() throws {
        var bench = PoolBench(PoolBench.rules(idleTTL: 60, maxAge: 100))
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        bench.release(grant.sandbox)
        bench.now = 59
        #expect(bench.send(.tick).isEmpty)
        bench.ask("ann")
        bench.release(grant.sandbox)
        bench.now = 100
        #expect(bench.send(.tick) == [.destroy(grant.sandbox, .maxAge)])
    }

    @Test func aTickThatComesEarlyIsFollowedByAnother() throws {
        var bench = PoolBench(PoolBench.rules(minIdle: 1, maxAge: 172_800))
        bench.send(.declare(PoolBench.sandboxClass))
        _ = bench.answerAll()
        #expect(bench.status?.stem == 1)
        #expect(bench.machine.handle(.tick, now: 86_401).contains(.wake(at: 172_800)))
    }

    @Test func exhaustedPoolsRejectOrGrowAsTold() throws {
        var strict = PoolBench(PoolBench.rules(max: 1, onExhausted: .reject))
        strict.ask("ann")
        _ = strict.answerAll()
        let refused = strict.ask("ann")
        guard case .reject(refused, .queueFull, _)? = strict.actions.first else {
            Issue.record("not refused: \(strict.actions)")
            return
        }
        var growing = PoolBench(PoolBench.rules(max: 1, onExhausted: .cold))
        growing.ask("ann")
        _ = growing.answerAll()
        growing.ask("ann")
        let extra = try #require(growing.answerAll().first)
        #expect(extra.start == .cold)
        growing.release(extra.sandbox)
        #expect(growing.actions == [.destroy(extra.sandbox, .surplus)])
    }

    @Test func aPoolThatHasGrownKeepsItsSandboxesWhileTheirTenantWaits() throws {
        var bench = PoolBench(PoolBench.rules(max: 1, onExhausted: .cold))
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        bench.ask("ann")
        let second = try #require(bench.answerAll().first)
        let waiting = bench.ask("ann")
        #expect(bench.actions.isEmpty, "there are twice max")
        bench.release(first.sandbox)
        #expect(bench.actions == [.grant(waiting, first.sandbox, .warm)])
        bench.release(second.sandbox)
        #expect(bench.actions == [.destroy(second.sandbox, .surplus)])
        bench.release(first.sandbox)
        #expect(bench.actions.isEmpty && bench.status?.warm == 1)
    }
}
