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
        /// What large jobs are to return.
        var fillers: [String: String] = [:]
        /// The ids that each idempotency key got.
        var keys: [String: Set<String>] = [:]
        /// The first end that was seen of each job.
        var ends: [String: String] = [:]
        var contradictions: [String] = []
        var isOver = false
    }

    /// What one request is about, besides a job.
    private enum Kind: Int {
        case plain, large, batch, awaited, cancelled
    }

    /// Too large for the row of a job, as it comes and as it goes.
    private static let fillerBytes = 60_000
    /// The jobs of a batch.
    private static let batchSize = 3
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
    var fillers: [String: String] { state.withLock { $0.fillers } }

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
            let kind = Kind(rawValue: round % 9) ?? .plain
            let milliseconds = round % 7 * 20
            let key = round % 3 == 0 ? "key-\(caller)-\(round)" : nil
            // A server that is hardly ever up cannot be asked to do what piled up meanwhile.
            while !state.withLock({ $0.isOver }), unfinished().count > Self.unfinishedMax {
                try? await Task.sleep(for: .milliseconds(50))
            }
            // A caller with a key asks until it has an answer; one without cannot.
            while !state.withLock({ $0.isOver }) {
                if await submit(kind, milliseconds, attempts, key) || key == nil { break }
                try? await Task.sleep(for: .milliseconds(50))
            }
            try? await Task.sleep(for: .milliseconds(40))
        }
    }

    /// Sends one request; false when it was not answered that it is accepted.
    private func submit(_ kind: Kind, _ milliseconds: Int, _ attempts: Int, _ key: String?) async -> Bool {
        // The same bytes whenever it is repeated.
        let filler = kind == .large ? Self.filler(seed: key ?? "") : nil
        var body = ledger.body(milliseconds: milliseconds, attempts: attempts, filler: filler)
        var headers = key.map { [("Idempotency-Key", $0)] } ?? []
        var path = "/v1/jobs"
        if kind == .batch {
            path += "/batch"
            body = "{\"jobs\":[\(Array(repeating: body, count: Self.batchSize).joined(separator: ","))]}"
        }
        if kind == .awaited { headers.append(("Prefer", "wait=1")) }
        guard let response = try? await server.client.send("POST", path, headers: headers, body: body),
            response.status == 202 || response.status == 200,
            let answer = try? JSONValue(parsing: response.body)
        else { return false }
        let ids = Self.ids(in: answer)
        guard let first = ids.first else { return false }
        state.withLock { state in
            for id in ids {
                state.accepted[id] = Accepted(maxAttempts: attempts)
                if let filler { state.fillers[id] = filler }
            }
            if let key { state.keys[key, default: []].insert(ids.joined(separator: " ")) }
        }
        // Whether that comes in time is nobody's promise.
        if kind == .cancelled { _ = try? await server.client.send("POST", "/v1/jobs/\(first)/cancel") }
        return true
    }

    private static func ids(in answer: JSONValue) -> [String] {
        guard case .array(let jobs)? = answer["jobs"] else { return [answer["id"]?.text].compactMap { $0 } }
        return jobs.compactMap { $0["id"]?.text }
    }

    /// Text that hardly compresses, the same for the same seed unless that is empty.
    private static func filler(seed: String) -> String {
        var state = seed.utf8.reduce(UInt64(14_695_981_039_346_656_037)) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
        if seed.isEmpty { state = .random(in: 1 ... .max) }
        var text = ""
        while text.utf8.count < fillerBytes {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            text += String(state, radix: 36)
        }
        return text
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
