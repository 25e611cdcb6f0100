import GRDB

extension JobStore {
    /// Jobs of a tenant that have ended, oldest first.
    package func ended(of tenant: TenantID, limit: Int) async throws -> [JobID] {
        do {
            return try await pool.read { db in
                let sql = """
                    SELECT id FROM jobs WHERE tenant = ? AND \(SQL.isFinished) ORDER BY seq LIMIT ?
                    """
                let texts = try String.fetchAll(db, sql: sql, arguments: [tenant.description, limit])
                return try texts.flatMap(JobRowCoding.ids)
            }
        } catch {
            throw error is CancellationError ? error : errors.translate(error)
        }
    }
}

extension StoreAdministration {
    /// Removes a tenant that has no jobs any more, with its keys and its idempotency keys.
    static func remove(_ tenant: TenantID, on db: Database) throws -> StoreOutcome {
        let name = tenant.description.databaseValue
        let removed = try db.change(
            "DELETE FROM tenants WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE tenant = ?1)", [name])
        guard removed == 1 else { return .applied(false) }
        try db.change("DELETE FROM idempotency WHERE tenant = ?", [name])
        return .applied(true)
    }
}
