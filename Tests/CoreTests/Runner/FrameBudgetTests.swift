import Foundation
import NIOCore
import NIOPosix
import SlipwayCore
import TestSupport
import Testing

/// What one supervisor may occupy of the engine's loop.
@Suite struct FrameBudgetTests {
    private let start = NIODeadline.now()

    @Test("a burst passes; what goes on beyond it waits as long as its price takes to come back")
    func rests() throws {
        var budget = FrameBudget(now: start)
        for _ in 0..<Int(FrameBudget.unitsMax) { #expect(budget.spend(bytes: 0, now: start) == nil) }
        let given = budget.spend(bytes: 10_000 * 65_536, now: start)
        let rest = try #require(given)
        #expect(abs(Double(rest.nanoseconds) / 1e9 - 10_001 / FrameBudget.unitsPerSecond) < 0.001)
        // After a second all of it is there again, and not more however long it takes.
        let later = start + .seconds(3600)
        #expect(budget.spend(bytes: 0, now: later) == nil)
        let burst = (0..<Int(FrameBudget.unitsMax) * 2).first { _ in budget.spend(bytes: 0, now: later) != nil }
        #expect(try #require(burst) <= Int(FrameBudget.unitsMax))
    }

    @Test("a result of 64 MiB in parts of 1 MiB needs no rest")
    func largeResult() {
        var budget = FrameBudget(now: start)
        for _ in 0..<64 { #expect(budget.spend(bytes: 1 << 20, now: start) == nil) }
    }

    @Test("a flood is delivered whole, also when the connection ends in the middle of a rest")
    func flood() async throws {
        let count = Int(FrameBudget.unitsMax) + 5_000
        let frame = FrameFuzzer.pack(0x89, Array(#"{"uptime":1.5,"busy":0}"#.utf8), [])
        let bytes = (0..<count).flatMap { _ in frame }
        let events = try await exchange(bytes) { $0.last == "disconnected" }
        #expect(events == Array(repeating: "message", count: count) + ["disconnected"])
    }

    @Test("a second HELLO on one connection is a violation")
    func secondHello() async throws {
        var fuzzer = FrameFuzzer(seed: 5)
        var hello: [UInt8] = []
        while hello.isEmpty {
            let sample = fuzzer.valid()
            if sample.kind == 0x81 { hello = sample.bytes }
        }
        let events = try await exchange(hello + hello) { $0.last != "message" && !$0.isEmpty }
        #expect(events == ["message", "violation"])
    }

    /// Sends bytes to a link as its supervisor and returns what the link told.
    private func exchange(
        _ bytes: [UInt8], until isDone: @escaping @Sendable ([String]) -> Bool
    ) async throws -> [String] {
        let folder = try TemporaryFolder()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let owner = LinkOwner(loop: group.next())
        let path = folder.path + "/s"
        try await owner.listen(at: path)
        try await onThread {
            let connection = try HTTPConnection(.unix(path), timeoutSeconds: 20)
            try connection.send(bytes)
        }
        let events = try await eventually("the link has told all of it") {
            let events = owner.take()
            return isDone(events) ? events : nil
        }
        await owner.close()
        try await group.shutdownGracefully()
        return events
    }
}
