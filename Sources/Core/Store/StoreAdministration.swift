import Foundation
import GRDB

/// The operations on sandboxes, tenants, keys and the engine's own values.
enum StoreAdministration {
    /// Carries out one of these operations.
    static func perform(_ operation: StoreOperation, on db: Database) throws -> StoreOutcome {
        switch operation {
        case .forgetKeys(let before):
            .changed(
                try db.change("DELETE FROM idempotency WHERE created_ms < ?", [StoreValue.of(before)]))
        case .putSandbox(let record): try put(record, on: db)
        case .removeSandboxes(let ids):
            .changed(
                try ids.reduce(0) { try $0 + db.change("DELETE FROM sandboxes WHERE id = ?", [$1.databaseValue]) })
        case .addTenant(let tenant):
            .applied(
                try db.change(
                    "INSERT OR IGNORE INTO tenants (id, created_ms, suspended) VALUES (?, ?, ?)",
                    [
                        tenant.id.description.databaseValue, StoreValue.of(tenant.createdAt),
                        StoreValue.of(tenant.suspended),
                    ]) == 1)
        case .setSuspended(let tenant, let suspended):
            .applied(
                try db.change(
                    "UPDATE tenants SET suspended = ? WHERE id = ?",
                    [StoreValue.of(suspended), tenant.description.databaseValue]) == 1)
        case .removeTenant(let tenant): try remove(tenant, on: db)
        case .addKey(let key): try add(key, on: db)
        case .revokeKey(let id, let tenant, let at):
            .applied(
                try db.change(
                    "UPDATE api_keys SET revoked_ms = ? WHERE id = ? AND tenant = ? AND revoked_ms IS NULL",
                    [StoreValue.of(at), id.databaseValue, tenant.description.databaseValue]) == 1)
        case .setMeta(let key, let value):
            .changed(
                try db.change(
                    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key.databaseValue, value.databaseValue]))
        case .insert, .claim, .markRunning, .finish, .requeue, .requestCancel, .delete, .purge, .settle:
            throw EngineError(.internalFault, "A job operation reached the administration of the store.")
        }
    }

    private static func put(_ record: SandboxRecord, on db: Database) throws -> StoreOutcome {
        try db.change(
            """
            INSERT OR REPLACE INTO sandboxes (id, runtime, container, tenant, pool_key, socket_path, pid, created_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                record.id.databaseValue, record.runtime.databaseValue, StoreValue.of(record.container),
                StoreValue.of(record.tenant?.description), record.poolKey.databaseValue,
                StoreValue.of(record.socketPath), StoreValue.of(record.pid), StoreValue.of(record.createdAt),
            ])
        return .done
    }

    private static func add(_ key: APIKeyRecord, on db: Database) throws -> StoreOutcome {
        try db.change(
            """
            INSERT INTO api_keys (id, tenant, hash, scopes, created_ms, expires_ms, revoked_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                key.id.databaseValue, key.tenant.description.databaseValue, StoreValue.of(key.hash),
                key.scopes.joined(separator: " ").databaseValue, StoreValue.of(key.createdAt),
                StoreValue.of(key.expiresAt), StoreValue.of(key.revokedAt),
            ])
        return .done
    }

    /// The sandbox in a row of `SELECT *`.
    static func sandbox(_ row: Row) -> SandboxRecord {
        SandboxRecord(
            id: row["id"], runtime: row["runtime"], container: row["container"],
            tenant: (row["tenant"] as String?).flatMap { TenantID($0) }, poolKey: row["pool_key"],
            socketPath: row["socket_path"], pid: row["pid"], createdAt: StoreValue.date(row["created_ms"]))
    }

    /// The tenant in a row of `SELECT *`.
    static func tenant(_ row: Row) throws -> TenantRecord {
        guard let id = TenantID(row["id"] as String) else { throw StoreValue.damaged("tenant") }
        return TenantRecord(
            id: id, createdAt: StoreValue.date(row["created_ms"]), suspended: (row["suspended"] as Int) != 0)
    }

    /// The key in a row of `SELECT *`.
    static func key(_ row: Row) throws -> APIKeyRecord {
        guard let tenant = TenantID(row["tenant"] as String) else { throw StoreValue.damaged("tenant") }
        return APIKeyRecord(
            id: row["id"], tenant: tenant, hash: JobRowCoding.bytes(row["hash"]) ?? [],
            scopes: (row["scopes"] as String).split(separator: " ").map(String.init),
            createdAt: StoreValue.date(row["created_ms"]),
            expiresAt: (row["expires_ms"] as Int64?).map(StoreValue.date),
            revokedAt: (row["revoked_ms"] as Int64?).map(StoreValue.date))
    }
}
