import SlipwayCore
import Testing

/// Turns for starts and for room between tenants, whatever number of sizes each of them names.
@Suite struct PoolTurnTests {
    private static func size(_ number: Int, memory: Int = 1 << 28) -> SandboxClass {
        var size = PoolBench.sandboxClass
        size.tmpBytes += 4096 * number
        size.memoryBytes = memory
        return size
    }

    /// The class of the sandbox that was started last, and the sandbox.
    private static func start(in actions: [PoolAction]) -> (id: SandboxID, sandboxClass: SandboxClass)? {
        for case .start(let id, let sandboxClass) in actions { return (id, sandboxClass) }
        return nil
    }

    /// Sandboxes that were ordered and did not start yet.
    private static func starting(_ bench: PoolBench) -> [SandboxID] {
        bench.machine.phases.filter { $0.value == .starting }.map(\.key)
    }

    @Test func namingManySizesTakesNoMoreTurnsThanNamingOne() throws {
        var bench = PoolBench(PoolBench.rules(max: 4, startingMax: 2))
        var open: [SandboxID] = []
        for number in 0..<40 {
            bench.ask("ann", of: Self.size(number))
            open += Self.start(in: bench.actions).map { [$0.id] } ?? []
        }
        #expect(open.count == 2)
        bench.ask("bob", of: Self.size(100))
        let next = try #require(Self.start(in: bench.send(.started(open[0]))))
        #expect(next.sandboxClass == Self.size(100), "bob's first start is the next one")
        bench.ask("bob", of: Self.size(101))
        var turns = 0
        for _ in 0..<4 where turns == 0 || !bench.actions.isEmpty {
            let id = try #require(Self.starting(bench).min { $0.description < $1.description })
            let orders = bench.send(.started(id))
            turns += 1
            if Self.start(in: orders)?.sandboxClass == Self.size(101) { break }
        }
        #expect(turns <= 2, "bob's second start came after \(turns) others")
    }

    @Test func whoWaitsInASharedClassHasTurnsOfItsOwn() throws {
        var bench = PoolBench(PoolBench.rules(max: 4, startingMax: 1))
        bench.ask("ann", of: Self.size(0))
        var last = try #require(Self.start(in: bench.actions)).id
        for number in 1..<30 { bench.ask("ann", of: Self.size(number)) }
        bench.ask("ann")
        bench.ask("bob")
        let request = bench.requests
        var served = 0
        while bench.machine.status(for: TenantID("bob"), now: 0).contains(where: { $0.waiting > 0 }) {
            let orders = bench.send(.started(last))
            last = try #require(Self.start(in: orders)).id
            served += 1
            try #require(served < 6, "request \(request) still waits")
        }
    }

    @Test func oneTenantLeavesAPlaceForStartingToOthers() throws {
        var bench = PoolBench(PoolBench.rules(max: 8, startingMax: 3))
        bench.ask("bob", of: Self.size(50))
        let bobs = try #require(Self.start(in: bench.actions)).id
        for number in 0..<10 { bench.ask("ann", of: Self.size(number)) }
        bench.ask("bob", of: Self.size(51))
        // Bob had his turn before ann's two, yet ann holds all places but one.
        let next = try #require(Self.start(in: bench.send(.started(bobs))))
        #expect(next.sandboxClass == Self.size(51))
    }

    @Test func stockComesAfterEverybodyWhoWaits() throws {
        var bench = PoolBench(PoolBench.rules(minIdle: 2, max: 4, startingMax: 1))
        bench.send(.declare(PoolBench.sandboxClass))
        let first = try #require(Self.start(in: bench.actions)).id
        for number in 1...3 { bench.ask("ann", of: Self.size(number)) }
        var order: [SandboxClass] = []
        var last = first
        for _ in 0..<4 {
            let next = try #require(Self.start(in: bench.send(.started(last))))
            order.append(next.sandboxClass)
            last = next.id
        }
        #expect(order.prefix(3) == [Self.size(1), Self.size(2), Self.size(3)], "\(order.map(\.tmpBytes))")
    }

    @Test func roomGoesToTheTenantWhoseTurnItIs() throws {
        // Room for two: ann has one and bob one, and ann's many sizes have waited longer than bob's.
        var bench = PoolBench(
            PoolBench.rules(max: 8, startingMax: 4), capacity: Capacity(milliCPUs: 1 << 20, memoryBytes: 2 << 28))
        bench.ask("ann", of: Self.size(1))
        var leases = [try #require(bench.answerAll().first).sandbox]
        bench.ask("ann", of: Self.size(2))
        leases.append(try #require(bench.answerAll().first).sandbox)
        for number in 3..<20 { bench.ask("ann", of: Self.size(number)) }
        bench.now = 1
        bench.ask("bob", of: Self.size(30))
        bench.now = 10
        bench.send(.tick)
        bench.release(leases[0])
        let next = try #require(Self.start(in: bench.send(.removed(leases[0]))))
        #expect(next.sandboxClass == Self.size(30))
    }

    @Test func aTenantsOwnClassesGoInTheOrderInWhichTheyCame() throws {
        var bench = PoolBench(PoolBench.rules(max: 4, startingMax: 1))
        for number in 0..<6 { bench.ask("ann", of: Self.size(number)) }
        var order: [SandboxClass] = []
        while let id = Self.starting(bench).first {
            order += Self.start(in: bench.send(.started(id))).map { [$0.sandboxClass] } ?? []
        }
        #expect(order == (1..<6).map { Self.size($0) })
    }
}
