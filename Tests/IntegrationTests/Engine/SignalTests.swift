import NIOCore
import NIOPosix
import SlipwayCore
import Testing

/// The signal on which everybody waits for the end of a job.
@Suite("Signals")
struct SignalTests {
    /// Confined to a loop, as the engine is.
    private actor Host {
        nonisolated let executor: LoopExecutor
        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
        private var signal = Signal<Int>()

        init(_ executor: LoopExecutor) { self.executor = executor }

        func renew() { signal = Signal() }
        func settle(_ value: Int) { signal.succeed(value) }
        func wait(upTo limit: Duration) async throws -> Int? {
            try await signal.wait(upTo: limit, on: executor.loop)
        }
    }

    @Test("a value that arrives while somebody begins to wait reaches the waiter")
    func races() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let host = Host(LoopExecutor(loop: group.next()))
        for round in 0..<2000 {
            await host.renew()
            async let waited = host.wait(upTo: .seconds(5))
            async let settled: Void = host.settle(round)
            await settled
            #expect(try await waited == round)
        }
        try await group.shutdownGracefully()
    }
}
