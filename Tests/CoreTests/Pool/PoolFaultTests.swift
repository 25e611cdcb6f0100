import SlipwayCore
import Testing

@Suite struct PoolFaultTests {
    @Test func failingStartsBackOffAndThenRefuse() throws {
        var bench = PoolBench(PoolBench.rules(max: 4))
        let request = bench.ask("ann")
        var rounds = 0
        while rounds < 20 {
            guard case .start(let id, _)? = bench.actions.first(where: { if case .start = $0 { true } else { false } })
            else {
                Issue.record("no start in round \(rounds): \(bench.actions)")
                return
            }
            rounds += 1
            let actions = bench.send(.startFailed(id, reason: "no such image"))
            bench.send(.removed(id))
            if case .reject(request, .startFailed, let message)? = actions.last {
                #expect(message.contains("no such image"))
                break
            }
            #expect(bench.actions.isEmpty, "nothing starts while it backs off")
            bench.now = try #require(bench.machine.nextDeadline)
            bench.send(.tick)
        }
        #expect(rounds == 5)
        #expect(bench.status?.lastError == "no such image")
        #expect(bench.status?.backoffSeconds == 8)
    }

    @Test func nothingStartsWhileTheEngineIsDown() throws {
        var bench = PoolBench(PoolBench.rules())
        bench.send(.enginesUp(false))
        let request = bench.ask("ann")
        #expect(bench.actions.isEmpty)
        bench.send(.enginesUp(true))
        #expect(bench.answerAll().map(\.request) == [request])
    }

    @Test func aRequestWhosePreparationKeepsFailingIsRefused() throws {
        var bench = PoolBench(PoolBench.rules())
        let request = bench.ask("ann")
        var tries = 0
        var open = bench.actions
        while !open.isEmpty {
            switch open.removeFirst() {
            case .start(let id, _): open += bench.send(.started(id))
            case .destroy(let id, _): open += bench.send(.removed(id))
            case .specialise(let id, _):
                tries += 1
                open += bench.send(.specialiseFailed(id, reason: "no module named nope"))
            case .reject(let id, let code, let message):
                #expect(id == request && code == .startFailed && message.contains("no module named nope"))
            case .grant, .wake, .pause, .resume: Issue.record("granted")
            }
        }
        #expect(tries == 3)
        #expect(bench.machine.isEmpty)
    }

    @Test func repliesAboutUnknownSandboxesChangeNothing() throws {
        var bench = PoolBench(PoolBench.rules())
        let id = SandboxID()
        let events: [PoolEvent] = [
            .started(id), .startFailed(id, reason: ""), .specialised(id), .specialiseFailed(id, reason: ""),
            .released(id, clean: true, reason: ""), .lost(id, reason: ""), .removed(id), .removeFailed(id, reason: ""),
        ]
        for event in events { #expect(bench.send(event).isEmpty) }
        #expect(bench.machine.isEmpty)
    }

    @Test func aCancelDuringPreparationLeavesAWarmSandbox() throws {
        var bench = PoolBench(PoolBench.rules())
        let request = bench.ask("ann")
        guard case .start(let id, _)? = bench.actions.first else { return #expect(Bool(false)) }
        bench.send(.started(id))
        bench.send(.cancelRequest(request))
        #expect(bench.send(.specialised(id)).isEmpty)
        let next = bench.ask("ann")
        #expect(bench.actions == [.grant(next, id, .warm)])
    }

    @Test func aFailedRemovalIsOrderedAgain() throws {
        var bench = PoolBench(PoolBench.rules())
        bench.ask("ann")
        let id = try #require(bench.answerAll().first).sandbox
        bench.release(id, clean: false)
        bench.send(.removeFailed(id, reason: "busy"))
        bench.now = try #require(bench.machine.nextDeadline)
        #expect(bench.send(.tick) == [.destroy(id, .unclean)])
        bench.send(.removed(id))
        #expect(bench.machine.isEmpty)
    }

    @Test func adoptedSandboxesServeTheirTenant() throws {
        var bench = PoolBench(PoolBench.rules())
        let tenant = try #require(TenantID("ann"))
        let leased = SandboxID()
        let free = SandboxID()
        let specialisation = Specialisation(tenant: tenant)
        bench.send(.adopted(leased, PoolBench.sandboxClass, specialisation, leased: [0], uses: 1))
        bench.send(.adopted(free, PoolBench.sandboxClass, specialisation, leased: [], uses: 1))
        let first = bench.ask("ann")
        #expect(bench.actions == [.grant(first, free, .warm)])
        let second = bench.ask("ann")
        bench.release(leased)
        #expect(bench.actions == [.grant(second, leased, .warm)])
    }

    @Test func aDrainEndsEverythingButLeases() throws {
        var bench = PoolBench(PoolBench.rules(minIdle: 1, max: 3))
        bench.send(.declare(PoolBench.sandboxClass))
        _ = bench.answerAll()
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        bench.send(.drain)
        _ = bench.answerAll()
        #expect(bench.machine.phases == [grant.sandbox: .leased])
        let late = bench.ask("ann")
        guard case .reject(late, .draining, _)? = bench.actions.first else { return #expect(Bool(false)) }
        bench.release(grant.sandbox)
        _ = bench.answerAll()
        #expect(bench.machine.isEmpty)
    }
}
