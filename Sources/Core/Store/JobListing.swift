import GRDB

/// Unfinished jobs whose state in the store is older than the engine's own: it stores that a job runs only after a while.
package struct MovedJobs: Sendable {
    /// More than there are ever sandboxes; the store takes 32,766 values in a statement.
    private static let most = 10_000
    private var states: [JobID: JobState] = [:]

    package init() {}

    /// Notes the state of one.
    package mutating func note(_ id: JobID, _ state: JobState) {
        if states.count < Self.most { states[id] = state }
    }

    /// Those in one of the states, and the others.
    func divided(by wanted: Set<JobState>) -> (fitting: [JobID], others: [JobID]) {
        let all = states.keys.sorted { $0.description < $1.description }
        return (
            all.filter { states[$0].map(wanted.contains) ?? false },
            all.filter { !(states[$0].map(wanted.contains) ?? false) }
        )
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
        let before = try checked(query)
        var conditions = ["tenant = ?", "seq < ?"]
        var values: [DatabaseValue] = [tenant.description.databaseValue, before.databaseValue]
        if let name = query.name {
            conditions.append("name = ?")
            values.append(name.databaseValue)
        }
        for (key, value) in query.labels.sorted(by: { $0.key < $1.key }) {
            conditions.append("seq IN (SELECT seq FROM job_labels WHERE key = ? AND value = ?)")
            values += [key.databaseValue, value.databaseValue]
        }
        if !query.states.isEmpty {
            let states = query.states.sorted { $0.rawValue < $1.rawValue }
            let (fitting, others) = moved.divided(by: query.states)
            conditions.append(
                "((state IN (\(StoreValue.list(states))) AND id NOT IN (\(marks(others)))) OR id IN (\(marks(fitting))))"
            )
            values += (others + fitting).map(\.description.databaseValue)
            // In the words of the partial index, so that a few running jobs are found among a million ended ones.
            if query.states.allSatisfy({ !$0.isTerminal }) {
                conditions.append(SQL.isUnfinished)
            }
        }
        let sql = """
            SELECT \(JobRowCoding.jobColumns), seq, gpu, memory_peak FROM jobs WHERE \(conditions.joined(separator: " AND "))
            ORDER BY seq DESC LIMIT \(query.limit + 1)
            """
        let rows = try Row.fetchCursor(
            db.cachedStatement(sql: sql), arguments: StatementArguments(values))
        var jobs: [Job] = []
        var last: Int64 = 0
        while let row = try rows.next() {
            guard jobs.count < query.limit else {
                return JobPage(jobs: jobs, nextCursor: cursorPrefix + String(last, radix: 36))
            }
            jobs.append(try JobRowCoding.job(row))
            last = row["seq"]
        }
        return JobPage(jobs: jobs, nextCursor: nil)
    }

    private static func marks(_ ids: [JobID]) -> String { ids.map { _ in "?" }.joined(separator: ", ") }

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
