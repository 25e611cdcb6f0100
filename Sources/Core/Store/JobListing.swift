import GRDB

/// Unfinished jobs whose state in the store is older than the engine's own: it stores that a job runs only after a while.
package struct MovedJobs: Sendable {
    /// More than there are ever sandboxes.
    private static let most = 10_000
    private var states: [JobID: JobState] = [:]

    package init() {}

    /// Notes the state of one.
    package mutating func note(_ id: JobID, _ state: JobState) {
        if states.count < Self.most { states[id] = state }
    }

    /// Whether there are none.
    var isEmpty: Bool { states.isEmpty }

    /// The ids of those in certain states, as an array of JSON: one parameter, however many they are.
    func list(where isWanted: (JobState) -> Bool) -> String {
        let ids = states.filter { isWanted($0.value) }.keys.map { "\"\($0)\"" }
        return "[\(ids.joined(separator: ","))]"
    }
}

/// Lists jobs: builds the statement, reads the page and makes its cursor.
enum JobListing {
    private static let limits = 1...500
    private static let cursorPrefix = "c1"

    /// The page that the query asks for.
    ///
    /// - Throws: `EngineError` with code `invalidRequest` for a limit out of range or a cursor that is not ours.
    static func page(
        _ query: JobQuery, tenant: TenantID, moved: MovedJobs, on db: Database
    ) throws -> JobPage {
        var filter = Filter(tenant: tenant, before: try checked(query))
        if let name = query.name { filter.require("name = ?", name) }
        for (key, value) in query.labels.sorted(by: { $0.key < $1.key }) {
            filter.require("seq IN (SELECT seq FROM job_labels WHERE key = ? AND value = ?)", key, value)
        }
        let found = try rows(filter, query, moved, on: db)
        guard found.count > query.limit else { return JobPage(jobs: found.map(\.job), nextCursor: nil) }
        let jobs = found.prefix(query.limit)
        return JobPage(
            jobs: jobs.map(\.job), nextCursor: jobs.last.map { cursorPrefix + String($0.seq, radix: 36) })
    }

    /// What a row has to meet.
    private struct Filter {
        var conditions = ["tenant = ?", "seq < ?"]
        var values: [DatabaseValue]

        init(tenant: TenantID, before: Int64) {
            values = [tenant.description.databaseValue, before.databaseValue]
        }

        mutating func require(_ condition: String, _ words: String...) {
            conditions.append(condition)
            values += words.map(\.databaseValue)
        }
    }

    /// One row more than the page has, where there are as many, the newest first.
    private static func rows(
        _ filter: Filter, _ query: JobQuery, _ moved: MovedJobs, on db: Database
    ) throws -> [(seq: Int64, job: Job)] {
        guard !query.states.isEmpty else { return try rows(filter, query.limit, on: db) }
        // Two statements: with an OR between them neither would use the index of states.
        var stored = filter
        stored.require("state IN (\(StoreValue.list(query.states.sorted { $0.rawValue < $1.rawValue })))")
        // In the words of the partial index, so that a few running jobs are found among a million ended ones.
        if query.states.allSatisfy({ !$0.isTerminal }) { stored.require(SQL.isUnfinished) }
        guard !moved.isEmpty else { return try rows(stored, query.limit, on: db) }
        stored.require("id NOT IN (SELECT value FROM json_each(?))", moved.list { _ in true })
        var current = filter
        current.require("id IN (SELECT value FROM json_each(?))", moved.list(where: query.states.contains))
        return (try rows(stored, query.limit, on: db) + rows(current, query.limit, on: db)).sorted { $0.seq > $1.seq }
    }

    private static func rows(_ filter: Filter, _ limit: Int, on db: Database) throws -> [(seq: Int64, job: Job)] {
        let sql = """
            SELECT \(JobRowCoding.jobColumns), seq, gpu, memory_peak FROM jobs
            WHERE \(filter.conditions.joined(separator: " AND ")) ORDER BY seq DESC LIMIT \(limit + 1)
            """
        let rows = try Row.fetchCursor(
            db.cachedStatement(sql: sql), arguments: StatementArguments(filter.values))
        var found: [(seq: Int64, job: Job)] = []
        while let row = try rows.next() { found.append((row["seq"], try JobRowCoding.job(row))) }
        return found
    }

    private static func checked(_ query: JobQuery) throws -> Int64 {
        guard limits.contains(query.limit) else {
            let detail = "The limit must be \(limits.lowerBound) to \(limits.upperBound)."
            throw EngineError(
                .invalidRequest, detail,
                faults: [EngineError.Fault(pointer: "/limit", code: "out-of-range", detail: detail)])
        }
        guard let cursor = query.cursor else { return .max }
        guard cursor.hasPrefix(cursorPrefix), cursor.utf8.count <= 16,
            let seq = Int64(cursor.dropFirst(cursorPrefix.count), radix: 36), seq > 0
        else {
            let detail = "The cursor is not one that a list has returned."
            throw EngineError(
                .invalidRequest, detail,
                faults: [EngineError.Fault(pointer: "/cursor", code: "bad-cursor", detail: detail)])
        }
        return seq
    }
}
