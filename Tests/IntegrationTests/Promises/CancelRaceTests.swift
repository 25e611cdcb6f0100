import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Promise 8: of a cancel and an end that race exactly one wins, and every step is legal.
    @Suite("Races of cancel", .serialized, .enabled("no container engine answers", hasContainers))
    struct CancelRaceTests {
        @Test("400 races of cancel against completion, timeout, another cancel and deletion")
        func races() async throws { try await CancelRaces.run(400) }
    }

    /// The long version of ``CancelRaceTests``.
    @Suite(.serialized, .soak) struct CancelRaceSoakTests {
        @Test("10,000 races")
        func races() async throws {
            let ends = try await CancelRaces.run(Soak.count(10_000))
            Soak.report("races of cancel: \(ends.sorted { "\($0.key)" < "\($1.key)" }.map { "\($0.value) \($0.key)" })")
        }
    }
}

/// Jobs that are cancelled at about the moment at which they end.
private actor CancelRaces {
    /// What the cancel races against.
    enum Rival: CaseIterable {
        case completion, failure, timeout, cancel, deletion
    }

    private let engine: TestEngine
    private var random: SimulationRandom
    private var left: Int
    /// How long a cancel waits at most, in microseconds: it follows who won before, so that both win on any machine.
    private var span = 12_000
    private var ends: [JobState: Int] = [:]
    private var faults: [String] = []

    init(_ engine: TestEngine, races: Int, seed: UInt64) {
        self.engine = engine
        left = races
        random = SimulationRandom(seed: seed)
    }

    @discardableResult
    static func run(_ races: Int) async throws -> [JobState: Int] {
        let engine = try await TestEngine.start("docker") { $0.pools.defaults.max = 2 }
        let seed = Soak.seed(8)
        let arena = CancelRaces(engine, races: races, seed: seed)
        _ = try await engine.run(source: "def main(): pass")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { while try await arena.race() {} } }
            try await group.waitForAll()
        }
        let (ends, faults) = await (arena.ends, arena.faults)
        #expect(faults == [], "seed \(seed)")
        #expect(ends.values.reduce(0, +) == races)
        // Both must have won now and then, or there was no race.
        #expect(ends[.completed, default: 0] > races / 50 && ends[.cancelled, default: 0] > races / 50, "\(ends)")
        #expect(try await engine.run(source: "def main(): return 2").value == 2)
        #expect(try engine.engine.store.integrityProblemsBlocking() == [])
        try await engine.shutdownLeavingNothing()
        return ends
    }

    private func draw() -> (rival: Rival, delay: Duration)? {
        guard left > 0, faults.isEmpty else { return nil }
        left -= 1
        return (random.pick(Rival.allCases), .microseconds(random.chance(20) ? 0 : random.below(span)))
    }

    private func race() async throws -> Bool {
        guard let (rival, delay) = draw() else { return false }
        var request = JobRequest(
            task: .source(rival == .failure ? "def main(): raise ValueError" : "def main(): return 1"))
        if rival == .timeout {
            request = JobRequest(task: .source("import time\ndef main(): time.sleep(0.01)\n"))
            request.timeout = .milliseconds(random.pick([1, 5, 10, 11]))
        }
        let job = try await engine.engine.submit(request)
        try await Task.sleep(for: delay)
        async let first = cancel(job.id)
        async let second = rival == .cancel ? cancel(job.id) : nil
        async let removed = rival == .deletion ? delete(job.id) : false
        let (isRefused, isRefusedAgain, isRemoved) = try await (first, second, removed)
        if isRemoved {
            // Only what has ended can be removed, so the cancel came too late for it or had been carried out.
            ends[isRefused == true ? .completed : .cancelled, default: 0] += 1
            if try await engine.engine.store.row(job.id) != nil { faults.append("\(job.id) was removed and has a row") }
            return true
        }
        let outcome = try await engine.end(of: job.id)
        ends[outcome.job.state, default: 0] += 1
        span = outcome.job.state == .cancelled ? min(span * 11 / 10, 2_000_000) : max(span * 8 / 10, 1000)
        faults += try await JobHistory.faults(of: outcome, in: engine)
        if outcome.job.state == .completed, rival != .timeout, outcome.value != 1 {
            faults.append("\(job.id): no result")
        }
        if outcome.job.state != .completed, outcome.result != nil { faults.append("\(job.id): a result of nothing") }
        if isRefused == true || isRefusedAgain == true, outcome.job.state == .cancelled {
            faults.append("\(job.id): a cancel was refused as too late, and it ended as cancelled")
        }
        return true
    }

    /// Whether the cancel was refused because the job had ended; nil when there was no such job any more.
    private nonisolated func cancel(_ id: JobID) async throws -> Bool? {
        do {
            try await engine.engine.cancel(id)
            return false
        } catch let error as EngineError where error.code == .alreadyTerminal {
            return true
        } catch let error as EngineError where error.code == .notFound {
            return nil
        }
    }

    /// Whether the job could be removed.
    private nonisolated func delete(_ id: JobID) async throws -> Bool {
        do {
            try await engine.engine.delete(id)
            return true
        } catch let error as EngineError where error.code == .notFinished {
            return false
        }
    }
}
