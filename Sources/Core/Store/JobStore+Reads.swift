import Foundation
import GRDB

extension JobStore {
    /// Everything durable about a job, inline copies included.
    package func row(_ id: JobID) async throws -> JobRow? { try await read { try Self.row(id, on: $0) } }

    /// The same, blocking this thread.
    package func rowBlocking(_ id: JobID) throws -> JobRow? { try readBlocking { try Self.row(id, on: $0) } }

    /// A tenant's job.
    package func job(_ id: JobID, tenant: TenantID) async throws -> Job? {
        try await read { try Self.job(id, tenant: tenant, on: $0) }
    }

    /// The same, blocking this thread.
    package func jobBlocking(_ id: JobID, tenant: TenantID) throws -> Job? {
        try readBlocking { try Self.job(id, tenant: tenant, on: $0) }
    }

    /// A page of a tenant's jobs, newest first.
    ///
    /// - Throws: `EngineError` with code `invalidRequest` for a limit outside 1 to 500 or a foreign cursor.
    ///
    /// - Parameter moved: Unfinished jobs whose state here is older than the engine's.
    package func list(
        _ query: JobQuery, tenant: TenantID, moved: MovedJobs = MovedJobs()
    ) async throws -> JobPage {
        try await read { try JobListing.page(query, tenant: tenant, moved: moved, on: $0) }
    }

    /// The jobs of the request that was made with an idempotency key; none where the key is new or was another's.
    package func jobs(of key: IdempotencyKey, tenant: TenantID) async throws -> [JobID] {
        try await read { db in
            let statement = try db.cachedStatement(sql: SQL.findKey)
            guard let found = try Row.fetchOne(statement, arguments: [tenant.description, key.text]),
                Array(found[0] as Data) == key.requestHash
            else { return [] }
            return try JobRowCoding.ids(found[1])
        }
    }

    /// All jobs that have not ended, oldest first, for recovery at the start; inline copies included.
    ///
    /// - Parameter change: Called with each row in turn, to leave out of it what is not to be held.
    package func unfinishedBlocking(_ change: (inout JobRow) -> Void = { _ in }) throws -> [JobRow] {
        try readBlocking { db in
            let sql = """
                SELECT \(JobRowCoding.rowColumns) FROM jobs WHERE \(SQL.isUnfinished) ORDER BY seq
                """
            return try Self.all(sql, on: db) {
                var row = try JobRowCoding.row($0)
                change(&row)
                return row
            }
        }
    }

    /// How many jobs a tenant has in each state; takes time in proportion to the tenant's jobs.
    package func countByState(tenant: TenantID) async throws -> [JobState: Int] {
        try await counts(
            "SELECT state, count(*) FROM jobs WHERE tenant = ? GROUP BY state", [tenant.description])
    }

    /// How many jobs a tenant has in each unfinished state, from an index of those alone.
    package func countUnfinished(tenant: TenantID) async throws -> [JobState: Int] {
        try await counts(
            """
            SELECT state, count(*) FROM jobs WHERE tenant = ? AND \(SQL.isUnfinished) GROUP BY state
            """, [tenant.description])
    }

    /// Terminal jobs that ended before a moment, oldest first, for `StoreOperation.purge`.
    package func finished(before moment: Date, limit: Int) async throws -> [JobID] {
        try await read { db in
            let sql = """
                SELECT id FROM jobs WHERE finished_ms < ? ORDER BY seq LIMIT ?
                """
            let texts = try String.fetchAll(db, sql: sql, arguments: [StoreValue.milliseconds(moment), limit])
            return try texts.flatMap(JobRowCoding.ids)
        }
    }

    /// The sandboxes that were started and not removed.
    package func sandboxesBlocking() throws -> [SandboxRecord] {
        try readBlocking {
            try Self.all("SELECT * FROM sandboxes ORDER BY created_ms, id", on: $0, StoreAdministration.sandbox)
        }
    }

    /// The key with this SHA-256, revoked and expired ones included.
    package func key(hash: [UInt8]) async throws -> APIKeyRecord? {
        try await read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM api_keys WHERE hash = ?")
            return try Row.fetchOne(statement, arguments: [Data(hash)]).map(StoreAdministration.key)
        }
    }

    /// All keys, of one tenant or of all.
    package func keys(tenant: TenantID? = nil) async throws -> [APIKeyRecord] {
        try await read { db in
            let keys = try Self.all("SELECT * FROM api_keys ORDER BY created_ms, id", on: db, StoreAdministration.key)
            return keys.filter { tenant == nil || $0.tenant == tenant }
        }
    }

    /// A tenant.
    package func tenant(_ id: TenantID) async throws -> TenantRecord? {
        try await tenants().first { $0.id == id }
    }

    /// All tenants.
    package func tenants() async throws -> [TenantRecord] {
        try await read { try Self.all("SELECT * FROM tenants ORDER BY id", on: $0, StoreAdministration.tenant) }
    }

    /// A value of the engine's own.
    package func metaBlocking(_ key: String) throws -> String? {
        try readBlocking { try String.fetchOne($0, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]) }
    }

    /// How many payloads wait to become durable files.
    package func pendingCopies() async throws -> Int {
        try await read { try Int.fetchOne($0, sql: "SELECT count(*) FROM copies") ?? 0 }
    }

    /// Whether the store answers and its database is sound; for tools and tests, since it reads everything.
    package func integrityProblemsBlocking() throws -> [String] {
        try readBlocking { try String.fetchAll($0, sql: "PRAGMA integrity_check") }.filter { $0 != "ok" }
    }

    /// The statements on a job's way for which SQLite makes a temporary table at each run, which costs as much as the
    /// statement itself; for tests.
    package func temporaryTablesBlocking() throws -> [String] {
        try readBlocking { db in
            try SQL.ofEachJob.filter { sql in
                let statement = try db.makeStatement(sql: "EXPLAIN " + sql)
                statement.setUncheckedArguments([])
                return try Row.fetchAll(statement).contains { $0["opcode"] as String == "OpenEphemeral" }
            }
        }
    }

    private func counts(_ sql: String, _ arguments: StatementArguments) async throws -> [JobState: Int] {
        try await read { db in
            var counts: [JobState: Int] = [:]
            for row in try Row.fetchAll(db, sql: sql, arguments: arguments) {
                guard let state = JobState(rawValue: row[0]) else { throw StoreValue.damaged("job state") }
                counts[state] = row[1]
            }
            return counts
        }
    }

    private static func row(_ id: JobID, on db: Database) throws -> JobRow? {
        let statement = try db.cachedStatement(sql: "SELECT \(JobRowCoding.rowColumns) FROM jobs WHERE id = ?")
        return try Row.fetchOne(statement, arguments: [id.description]).map(JobRowCoding.row)
    }

    private static func job(_ id: JobID, tenant: TenantID, on db: Database) throws -> Job? {
        let sql = "SELECT \(JobRowCoding.jobColumns), gpu, memory_peak FROM jobs WHERE id = ? AND tenant = ?"
        let statement = try db.cachedStatement(sql: sql)
        return try Row.fetchOne(statement, arguments: [id.description, tenant.description]).map(JobRowCoding.job)
    }

    private static func all<T>(_ sql: String, on db: Database, _ decode: (Row) throws -> T) throws -> [T] {
        var values: [T] = []
        let rows = try Row.fetchCursor(db.cachedStatement(sql: sql))
        while let row = try rows.next() { values.append(try decode(row)) }
        return values
    }

    private func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        do {
            return try await pool.read(body)
        } catch {
            throw error is CancellationError ? error : errors.translate(error)
        }
    }

    private func readBlocking<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try pool.read(body)
        } catch {
            throw errors.translate(error)
        }
    }
}
