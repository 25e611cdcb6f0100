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

    private static let graphic = {
        var graphic = PoolBench.sandboxClass
        graphic.image = "graphic"
        graphic.gpus = TenantID("ann").map { GPUNeed(tenant: $0, count: 1) }
        return graphic
    }()

    /// A bench with room for this many small sandboxes and one device, which ann has and has long waited for again.
    private func benchWithoutDevices(_ count: Int, minIdle: Int = 0) throws -> PoolBench {
        var bench = PoolBench(
            PoolBench.rules(minIdle: minIdle, max: 8),
            capacity: Capacity(
                milliCPUs: 1 << 20, memoryBytes: count << 28, gpus: [GPUDevice(id: "GPU-0", index: 0, memoryBytes: nil)]
            ))
        bench.ask("ann", of: Self.graphic)
        try #require(bench.answerAll().count == 1)
        bench.ask("ann", "other", of: Self.graphic)
        #expect(bench.machine.waitsFor(Self.graphic) == "GPUs")
        bench.now = PoolMachine.roomPatience + 1
        #expect(bench.send(.tick).isEmpty)
        return bench
    }

    /// Stem cells of the small class.
    private func stems(_ bench: PoolBench) -> Int? {
        bench.machine.status(now: bench.now).first { $0.image == Self.small.image }?.stem
    }

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

    @Test func whoWaitsForADeviceHoldsUpNobodyElse() throws {
        var bench = try benchWithoutDevices(3)
        let request = bench.ask("bob")
        #expect(bench.answerAll().map(\.request) == [request])
        bench.ask("cid")
        #expect(bench.actions.isEmpty, "the memory for the next sandbox with a device is kept")
    }

    @Test func idleSandboxesGoForAnotherClassWhileSomebodyWaitsForADevice() throws {
        var bench = try benchWithoutDevices(4)
        bench.ask("bob")
        let idle = try #require(bench.answerAll().first)
        bench.release(idle.sandbox)
        let request = bench.ask("cid", of: Self.large)
        #expect(bench.actions == [.destroy(idle.sandbox, .evicted)])
        #expect(bench.answerAll().map(\.request) == [request])
    }

    @Test func stemCellsAreRefilledWhileSomebodyWaitsForADevice() throws {
        var bench = try benchWithoutDevices(4, minIdle: 1)
        bench.send(.declare(Self.small))
        #expect(bench.answerAll().isEmpty)
        #expect(stems(bench) == 1)
        let request = bench.ask("bob")
        #expect(bench.answerAll().map(\.request) == [request])
        #expect(stems(bench) == 1)
        bench.ask("cid")
        _ = bench.answerAll()
        #expect(stems(bench) == 0, "stock leaves the memory that the job with a device takes")
    }

    @Test func aDeviceThatBecomesFreeGoesToWhoeverWaitsForIt() throws {
        var bench = try benchWithoutDevices(2)
        let lease = try #require(bench.machine.phases.keys.first)
        bench.send(.lost(lease, reason: "it died"))
        #expect(bench.actions == [.destroy(lease, .lost)])
        bench.ask("bob")
        #expect(bench.actions.isEmpty)
        bench.send(.removed(lease))
        #expect(bench.actions.contains { if case .start(_, let started) = $0 { started.gpus != nil } else { false } })
    }

    @Test func aDeviceThatIsBeingFreedHoldsUpNobodyElse() throws {
        var bench = try benchWithoutDevices(3)
        let lease = try #require(bench.machine.phases.keys.first)
        bench.send(.lost(lease, reason: "it died"))
        let request = bench.ask("bob")
        #expect(bench.actions.contains { if case .start(_, Self.small) = $0 { true } else { false } })
        #expect(bench.answerAll().map(\.request) == [request], "whoever waits for the device still does")
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
