import SlipwayCore
import Testing

/// A machine with too little room for everybody: who gets it, and what goes for it.
@Suite struct PoolRoomTests {
    private static let small = PoolBench.sandboxClass
    private static let large = {
        var large = PoolBench.sandboxClass
        large.image = "large"
        large.memoryBytes = 3 << 28
        return large
    }()

    /// A bench with room for this many small sandboxes.
    private func bench(_ count: Int, minIdle: Int = 0) -> PoolBench {
        PoolBench(
            PoolBench.rules(minIdle: minIdle, max: 8),
            capacity: Capacity(milliCPUs: 1 << 20, memoryBytes: count << 28))
    }

    @Test func aJobWaitsWhereThereIsNoRoomAndSaysForWhat() throws {
        var bench = bench(1)
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        bench.ask("ann", "other")
        #expect(bench.actions.isEmpty)
        #expect(bench.machine.waitsFor(Self.small) == "memory (268435456 more bytes)")
        #expect(bench.status?.waitsFor == "memory (268435456 more bytes)")
        bench.release(first.sandbox)
        #expect(bench.machine.waitsFor(Self.small) == nil)
    }

    @Test func idleSandboxesOfAnotherClassMakeRoom() throws {
        var bench = bench(3)
        bench.ask("ann")
        let first = try #require(bench.answerAll().first)
        bench.ask("ann", "other")
        let second = try #require(bench.answerAll().first)
        bench.release(first.sandbox)
        bench.ask("bob", of: Self.large)
        #expect(bench.actions.isEmpty, "one of the two works, so giving up the other would not help")
        bench.release(second.sandbox)
        #expect(bench.actions == [.destroy(first.sandbox, .evicted), .destroy(second.sandbox, .evicted)])
        bench.send(.removed(first.sandbox))
        #expect(bench.actions.isEmpty)
        bench.send(.removed(second.sandbox))
        #expect(bench.actions.contains { if case .start(_, Self.large) = $0 { true } else { false } })
    }

    @Test func whoeverHasWaitedLongGetsWhatBecomesFree() throws {
        var bench = bench(3)
        var leases = [SandboxID]()
        for name in ["one", "two", "three"] {
            bench.ask("ann", name)
            leases.append(try #require(bench.answerAll().first).sandbox)
        }
        bench.ask("bob", of: Self.large)
        bench.ask("ann", "one")
        bench.release(leases[0])
        #expect(bench.answerAll().count == 1, "within the patience a warm sandbox goes on")
        bench.now += PoolMachine.roomPatience
        bench.send(.tick)
        for lease in leases {
            bench.release(lease)
            #expect(bench.actions == [.destroy(lease, .evicted)])
        }
        bench.ask("cid")
        #expect(bench.actions.isEmpty, "what becomes free is kept")
        for lease in leases { bench.send(.removed(lease)) }
        #expect(bench.actions.first.map { if case .start(_, Self.large) = $0 { true } else { false } } == true)
    }

    @Test func stockTakesNoRoomThatAJobWaitsFor() throws {
        var bench = bench(3, minIdle: 3)
        bench.send(.declare(Self.small))
        #expect(bench.answerAll().isEmpty)
        #expect(bench.status?.stem == 3)
        bench.ask("bob", of: Self.large)
        #expect(bench.actions.count == 3, "stem cells go for a job")
        let grant = try #require(bench.answerAll().first)
        #expect(bench.status?.stem == 0 && bench.status?.starting == 0)
        bench.release(grant.sandbox)
        bench.now = 1000
        bench.send(.tick)
        _ = bench.answerAll()
        #expect(bench.status?.stem == 3, "they come back when the room is nobody's")
    }

    @Test func whatCanNeverFitIsRefused() throws {
        var bench = bench(2)
        let request = bench.ask("bob", of: Self.large)
        guard case .reject(request, .limitExceeded, let message)? = bench.actions.first else {
            Issue.record("not refused: \(bench.actions)")
            return
        }
        #expect(message.contains("805306368 bytes of memory are needed"))
    }

    @Test func aMachineThatShrinksRefusesWhatFitsNoMore() throws {
        var bench = bench(3)
        bench.ask("ann")
        _ = bench.answerAll()
        let request = bench.ask("bob", of: Self.large)
        bench.send(.capacity(Capacity(milliCPUs: 1 << 20, memoryBytes: 2 << 28)))
        #expect(bench.actions.contains { if case .reject(request, .limitExceeded, _) = $0 { true } else { false } })
    }

    @Test func nothingStartsBeforeTheMachineIsKnown() throws {
        var bench = PoolBench(PoolBench.rules(), capacity: nil)
        bench.ask("ann")
        #expect(bench.actions.isEmpty)
        #expect(bench.machine.waitsFor(Self.small)?.contains("has not told yet") == true)
        bench.send(.capacity(.unlimited))
        #expect(bench.answerAll().count == 1)
    }
}
