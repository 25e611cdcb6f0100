import SlipwayCore
import Testing

/// Freezing free sandboxes.
@Suite struct PoolPausingTests {
    /// A pool with one free sandbox of ann that was asked to be frozen.
    private func pausing() throws -> (bench: PoolBench, sandbox: SandboxID) {
        var bench = PoolBench(PoolBench.rules(idleTTL: 600, pauseAfter: 30))
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        bench.release(grant.sandbox)
        bench.now = try #require(bench.machine.nextDeadline)
        #expect(bench.now == 30)
        #expect(bench.send(.tick) == [.pause(grant.sandbox)])
        return (bench, grant.sandbox)
    }

    @Test func aFreeSandboxIsFrozenAndThawedForItsNextRequest() throws {
        var (bench, sandbox) = try pausing()
        #expect(bench.send(.paused(sandbox)).isEmpty)
        #expect(bench.status?.paused == 1 && bench.status?.warm == 0)
        let request = bench.ask("ann")
        #expect(bench.actions == [.resume(sandbox)])
        #expect(bench.status?.busy == 1)
        #expect(bench.send(.resumed(sandbox)) == [.grant(request, sandbox, .warm)])
        #expect(bench.status?.hits.resumed == 1)
    }

    @Test func aRequestDuringTheFreezeWaitsForItsEnd() throws {
        var (bench, sandbox) = try pausing()
        let request = bench.ask("ann", "other")
        #expect(bench.actions.isEmpty)
        #expect(bench.send(.paused(sandbox)) == [.resume(sandbox)])
        #expect(bench.send(.resumed(sandbox)).count == 1)
        #expect(bench.send(.specialised(sandbox)) == [.grant(request, sandbox, .warm)])
    }

    @Test func aCancelledRequestLeavesTheSandboxFree() throws {
        var (bench, sandbox) = try pausing()
        let first = bench.ask("ann")
        bench.send(.cancelRequest(first))
        #expect(bench.send(.paused(sandbox)).isEmpty)
        let second = bench.ask("ann")
        #expect(bench.actions == [.resume(sandbox)])
        bench.send(.cancelRequest(second))
        #expect(bench.send(.resumed(sandbox)).isEmpty)
        let third = bench.ask("ann")
        #expect(bench.actions == [.grant(third, sandbox, .warm)])
    }

    @Test func whatCannotBeFrozenOrThawedIsReplaced() throws {
        var (bench, sandbox) = try pausing()
        #expect(bench.send(.pausingFailed(sandbox, reason: "busy")) == [.destroy(sandbox, .pauseFailed)])
        var (other, frozen) = try pausing()
        other.send(.paused(frozen))
        let request = other.ask("ann")
        let actions = other.send(.pausingFailed(frozen, reason: "busy"))
        #expect(actions.contains(.destroy(frozen, .pauseFailed)))
        let grant = try #require(other.answerAll().first)
        #expect(grant.request == request && grant.sandbox != frozen && grant.start == .cold)
    }

    @Test func stemCellsAreFrozenTooAndKept() throws {
        var bench = PoolBench(PoolBench.rules(minIdle: 1, idleTTL: 60, pauseAfter: 30))
        bench.send(.declare(PoolBench.sandboxClass))
        _ = bench.answerAll()
        bench.now = 30
        bench.send(.tick)
        _ = bench.answerAll()
        #expect(bench.status?.paused == 1 && bench.status?.stem == 0)
        bench.now = 10_000
        #expect(bench.send(.tick).isEmpty)
        let request = bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        #expect(grant.request == request && grant.start == .stem)
    }

    @Test func frozenOnesExpireAndADeadOneIsReplaced() throws {
        var (bench, sandbox) = try pausing()
        bench.send(.paused(sandbox))
        bench.now = 600
        #expect(bench.send(.tick) == [.destroy(sandbox, .idle)])
        var (other, frozen) = try pausing()
        other.send(.paused(frozen))
        let request = other.ask("ann")
        other.send(.lost(frozen, reason: "it died"))
        #expect(other.answerAll().map(\.request) == [request])
    }
    @Test func aClassThatIsGoneKeepsNoThawedSandbox() throws {
        var bench = PoolBench(PoolBench.rules(pauseAfter: 1))
        bench.send(.declare(PoolBench.sandboxClass))
        bench.ask("ann")
        let grant = try #require(bench.answerAll().first)
        bench.release(grant.sandbox)
        bench.now = 2
        bench.send(.tick)
        _ = bench.answerAll()
        #expect(bench.machine.phases[grant.sandbox] == .paused)
        let request = bench.ask("ann")
        #expect(bench.actions == [.resume(grant.sandbox)])
        bench.send(.undeclare(PoolBench.sandboxClass))
        bench.send(.cancelRequest(request))
        #expect(bench.actions == [.destroy(grant.sandbox, .reload)])
        #expect(bench.machine.audit() == nil)
        _ = bench.answerAll()
        #expect(bench.machine.isEmpty)
    }
}
