import Foundation
import SlipwayCore
import TestSupport
import Testing

/// Random histories with faults; `SLIPWAY_SIMULATION_STEPS` makes them many, `SLIPWAY_SIMULATION_SEED` replays one.
@Suite struct PoolSimulationTests {
    private static let stepsOfHistory = 500

    /// How many steps a test takes in all its histories together.
    private static var steps: Int {
        ProcessInfo.processInfo.environment["SLIPWAY_SIMULATION_STEPS"].flatMap { Int($0) } ?? 50_000
    }

    @Test func noHistoryBreaksARule() throws {
        if let seed = ProcessInfo.processInfo.environment["SLIPWAY_SIMULATION_SEED"].flatMap({ UInt64($0) }) {
            #expect(replay(seed))
            return
        }
        try keepsItsRules(steps: Self.steps)
    }

    @Test func noHistoryHandsOutMoreThanThereIs() throws { try keepsWithinTheMachine(steps: Self.steps) }

    /// Runs histories of so many steps on a machine that has room for all sandboxes.
    func keepsItsRules(steps: Int) throws {
        var seen = Seen()
        for seed in 1...UInt64(max(1, steps / Self.stepsOfHistory)) {
            var history = PoolSimulation(seed: seed, isTracing: false)
            do {
                try history.run(steps: Self.stepsOfHistory)
            } catch {
                guard replay(seed) else { return }
                Issue.record("seed \(seed) broke a rule that its replay does not break: \(error)")
                return
            }
            seen.add(history)
        }
        Soak.report("pool simulation of \(steps) steps: \(seen)")
        // A simulation in which nothing happens would find nothing.
        #expect(seen.grants > steps / 20)
        #expect(seen.rejections > 0 && seen.pauses > 0 && seen.neighbours > 0 && seen.evictions > 0)
        #expect(seen.reloads > 0)
    }

    /// What happened in all histories together.
    private struct Seen: CustomStringConvertible {
        var grants = 0
        var rejections = 0
        var pauses = 0
        var neighbours = 0
        var evictions = 0
        var reloads = 0

        var description: String {
            "\(grants) grants (\(neighbours) beside another task), \(rejections) refusals, \(pauses) pauses, "
                + "\(evictions) evictions, \(reloads) reloads"
        }

        mutating func add(_ history: PoolSimulation) {
            grants += history.grants
            rejections += history.rejections
            pauses += history.pauses
            neighbours += history.neighbours
            evictions += history.evictions
            reloads += history.reloads
        }
    }

    /// Runs histories of so many steps on a machine that has room for a few sandboxes.
    func keepsWithinTheMachine(steps: Int) throws {
        var (grants, evictions, waits) = (0, 0, 0)
        for seed in 1...UInt64(max(1, steps / Self.stepsOfHistory)) {
            var history = PoolSimulation(seed: seed, isTracing: false, isNarrow: true)
            do {
                try history.run(steps: Self.stepsOfHistory)
            } catch {
                var again = PoolSimulation(seed: seed, isTracing: true, isNarrow: true)
                #expect(throws: Never.self, "seed \(seed)") { try again.run(steps: Self.stepsOfHistory) }
                Issue.record("seed \(seed) broke a rule: \(error)")
                return
            }
            grants += history.grants
            evictions += history.machine.status(now: history.now).reduce(0) { $0 + ($1.destroyed["evicted"] ?? 0) }
            waits += history.waits
        }
        #expect(grants > steps / 40)
        #expect(evictions > 0 && waits > 0, "the machine was never short of room")
    }

    @Test func equalSeedsGiveEqualHistories() throws {
        var first = PoolSimulation(seed: 7, isTracing: true)
        var second = PoolSimulation(seed: 7, isTracing: true)
        try first.run(steps: 300)
        try second.run(steps: 300)
        #expect(first.recent == second.recent)
        #expect(!first.recent.isEmpty)
    }

    /// Runs one history with its last events kept; false, with those recorded, when it broke a rule.
    private func replay(_ seed: UInt64) -> Bool {
        var history = PoolSimulation(seed: seed, isTracing: true)
        do {
            try history.run(steps: Self.stepsOfHistory)
            return true
        } catch {
            Issue.record("run again with SLIPWAY_SIMULATION_SEED=\(seed): \(error)")
            return false
        }
    }
}

/// The long version of ``PoolSimulationTests``.
@Suite(.enabled("a long version; make soak runs it", Soak.isOn)) struct PoolSimulationSoakTests {
    @Test("1,000,000 steps with faults break no rule")
    func million() throws { try PoolSimulationTests().keepsItsRules(steps: Soak.count(1_000_000)) }

    @Test("1,000,000 steps on a machine that is short of room hand out no more than there is")
    func narrowMillion() throws { try PoolSimulationTests().keepsWithinTheMachine(steps: Soak.count(1_000_000)) }
}
