import Foundation
import SlipwayCore
import Synchronization
import TestSupport

/// Callers that submit jobs to a server which dies now and then, and note what it promised them.
final class KillLoad: Sendable {
    /// A job that was accepted: answered 202.
    struct Accepted: Sendable {
        let maxAttempts: Int
    }

    private struct State {
        var accepted: [String: Accepted] = [:]
        /// The ids that each idempotency key got.
        var keys: [String: Set<String>] = [:]
        /// The first end that was seen of each job.
        var ends: [String: String] = [:]
        var contradictions: [String] = []
        var isOver = false
    }

    /// How many jobs may be without a known end before callers wait.
    private static let unfinishedMax = 100

    private let server: RunningServer
    private let ledger: Ledger
    private let state = Mutex(State())

    init(_ server: RunningServer, _ ledger: Ledger) {
        self.server = server
        self.ledger = ledger
    }

    var accepted: [String: Accepted] { state.withLock { $0.accepted } }
    var keys: [String: Set<String>] { state.withLock { $0.keys } }
    var contradictions: [String] { state.withLock { $0.contradictions } }

    /// Submits until `finish` is called.
    func run(callers: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<callers { group.addTask { await self.call(caller) } }
        }
    }

    func finish() { state.withLock { $0.isOver = true } }

    private func call(_ caller: Int) async {
        var round = 0
        while !state.withLock({ $0.isOver }) {
            round += 1
            let attempts = round % 4 == 0 ? 3 : 1
            let body = ledger.body(milliseconds: round % 7 * 20, attempts: attempts)
            let key = round % 3 == 0 ? "key-\(caller)-\(round)" : nil
            // A server that is hardly ever up cannot be asked to do what piled up meanwhile.
            while !state.withLock({ $0.isOver }), unfinished().count > Self.unfinishedMax {
                try? await Task.sleep(for: .milliseconds(50))
            }
            // A caller with a key asks until it has an answer; one without cannot.
            while !state.withLock({ $0.isOver }) {
                if await submit(body, attempts, key) || key == nil { break }
                try? await Task.sleep(for: .milliseconds(50))
            }
            try? await Task.sleep(for: .milliseconds(40))
        }
    }

    private func submit(_ body: String, _ attempts: Int, _ key: String?) async -> Bool {
        let headers = key.map { [("Idempotency-Key", $0)] } ?? []
        guard let response = try? await server.client.send("POST", "/v1/jobs", headers: headers, body: body),
            response.status == 202, let id = try? JSONValue(parsing: response.body)["id"]?.text
        else { return false }
        state.withLock {
            $0.accepted[id] = Accepted(maxAttempts: attempts)
            if let key { $0.keys[key, default: []].insert(id) }
        }
        return true
    }

    /// Notes the ends that the server tells now, and what contradicts earlier ones.
    func look() async throws {
        var cursor: String?
        repeat {
            let path = "/v1/jobs?limit=500" + (cursor.map { "&cursor=\($0)" } ?? "")
            let page = try JSONValue(parsing: try await server.client.send("GET", path).body)
            guard case .array(let jobs)? = page["jobs"] else { throw TestFailure("no page of jobs: \(page)") }
            for job in jobs { note(job) }
            cursor = page["next_cursor"]?.text
        } while cursor != nil
    }

    /// The jobs whose end was not seen yet.
    func unfinished() -> [String] { state.withLock { state in state.accepted.keys.filter { state.ends[$0] == nil } } }

    /// The state in which a job ended.
    func end(of id: String) -> String { state.withLock { $0.ends[id] ?? "" } }

    private func note(_ job: JSONValue) {
        guard let id = job["id"]?.text, let word = job["state"]?.text,
            let end = JobState(rawValue: word), end.isTerminal
        else { return }
        let told = "\(word) \(job["error"]?["kind"]?.text ?? "") \(job["finished_at"]?.text ?? "")"
        state.withLock { state in
            if let earlier = state.ends[id], earlier != told {
                state.contradictions.append("\(id): first \(earlier), then \(told)")
            }
            state.ends[id] = told
        }
    }
}
