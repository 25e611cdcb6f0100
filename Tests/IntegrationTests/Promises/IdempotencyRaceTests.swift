import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Promise 10: submits with one idempotency key, all at once, make one job.
    @Suite("Races of one idempotency key", .serialized, .enabled("no container engine answers", hasContainers))
    struct IdempotencyRaceTests {
        @Test("100 concurrent submits with one key are one job, four times, embedded and over REST")
        func rounds() async throws {
            try await IdempotencyRaces.embedded(rounds: 3)
            try await IdempotencyRaces.overREST(rounds: 1)
        }
    }

    /// The long version of ``IdempotencyRaceTests``.
    @Suite(.serialized, .soak) struct IdempotencyRaceSoakTests {
        @Test("1,000 rounds of 100 concurrent submits")
        func rounds() async throws {
            let rounds = Soak.count(1000)
            try await IdempotencyRaces.embedded(rounds: rounds)
            try await IdempotencyRaces.overREST(rounds: max(1, rounds / 50))
            Soak.report("\(rounds) keys, 100 concurrent submits each: \(rounds) jobs")
        }
    }
}

private enum IdempotencyRaces {
    static let submits = 100

    static func embedded(rounds: Int) async throws {
        let ledgerFolder = try TemporaryFolder()
        let ledger = try Ledger(below: ledgerFolder)
        let engine = try await TestEngine.start("docker") {
            $0.sandbox.mountAllow = [ledger.folder]
            $0.sandbox.mountWritable = [ledger.folder]
        }
        var ids: Set<JobID> = []
        for round in 0..<rounds {
            let key = try #require(IdempotencyKey("round-\(round)"))
            // Some are awaited to their end, which takes another way through the engine.
            let answers = try await withThrowingTaskGroup(of: JobID.self) { group in
                for caller in 0..<submits {
                    group.addTask {
                        try await submit(ledger.request(milliseconds: 0), key, isWaiting: caller % 4 == 0, to: engine)
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(answers.count == 1, "round \(round)")
            ids.formUnion(answers)
        }
        for id in ids { #expect(try await engine.end(of: id).job.state == .completed) }
        #expect(ids.count == rounds)
        // Nothing but these jobs exists, and each began once.
        #expect(try await allJobs(engine) == ids)
        #expect(try ledger.starts().count == rounds)
        #expect(try ledger.starts().values.allSatisfy { $0 == [1: 1] })
        try await engine.shutdownLeavingNothing()
    }

    /// Submits until there is an answer: while the first submit is being committed, the others are told to ask again.
    private static func submit(
        _ request: JobRequest, _ key: IdempotencyKey, isWaiting: Bool, to engine: TestEngine
    ) async throws -> JobID {
        try await eventually("an answer with a job") {
            do {
                guard isWaiting else { return try await engine.engine.submit(request, idempotency: key).id }
                return try await engine.engine.submit(
                    request, idempotency: key, waitingUpTo: .seconds(60)
                ).job.id
            } catch let error as EngineError where error.code == .keyInFlight {
                return nil
            }
        }
    }

    static func overREST(rounds: Int) async throws {
        let server = try RunningServer(yaml: "gateway:\n  connections_max: 300\n")
        try await server.start()
        let body = #"{"task":{"type":"source","code":"def main(): return 1"}}"#
        for round in 0..<rounds {
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for caller in 0..<submits {
                    group.addTask {
                        let path = "/v1/jobs" + (caller % 4 == 0 ? "?wait=30" : "")
                        let key = [("Idempotency-Key", "round-\(round)")]
                        return try await eventually("an answer with a job") {
                            let response = try await server.client.send("POST", path, headers: key, body: body)
                            // The first one is still being committed: whoever asks again gets its job.
                            guard response.status != 409 else { return nil }
                            return try JSONValue(parsing: response.body)["id"]?.text ?? response.text
                        }
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(answers.count == 1, "\(answers)")
        }
        let listed = try JSONValue(parsing: try await server.client.send("GET", "/v1/jobs?limit=500").body)
        guard case .array(let jobs)? = listed["jobs"] else { throw TestFailure("\(listed)") }
        #expect(jobs.count == rounds)
        #expect(try await server.stop() == 0, "\(server.log.suffix(2000))")
    }

    private static func allJobs(_ engine: TestEngine) async throws -> Set<JobID> {
        var found: Set<JobID> = []
        var query = JobQuery(limit: 500)
        repeat {
            let page = try await engine.engine.jobs(query)
            found.formUnion(page.jobs.map(\.id))
            query.cursor = page.nextCursor
        } while query.cursor != nil
        return found
    }
}
