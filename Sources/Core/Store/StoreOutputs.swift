import Foundation
import GRDB

/// The rows of the files that tasks left.
enum StoreOutputs {
    /// The table of the migration `2-outputs`; rows go with their job.
    static let schema = [
        """
        CREATE TABLE outputs (
            seq INTEGER NOT NULL REFERENCES jobs(seq) ON DELETE CASCADE, name TEXT NOT NULL, size INTEGER NOT NULL,
            sha256 BLOB NOT NULL, position INTEGER NOT NULL, encoded INTEGER NOT NULL, digest BLOB NOT NULL,
            PRIMARY KEY (seq, name)
        ) WITHOUT ROWID
        """
    ]

    private static let insert = """
        INSERT INTO outputs (seq, name, size, sha256, position, encoded, digest) VALUES (?, ?, ?, ?, ?, ?, ?)
        """

    /// Adds the files of a job, and the copy of their bundle where it is not a durable file yet.
    static func insert(_ outputs: StoredOutputs, seq: Int64, id: JobID, on db: Database) throws {
        for file in outputs.files {
            try db.change(
                insert,
                [
                    seq.databaseValue, file.name.databaseValue, file.size.databaseValue, StoreValue.of(file.sha256),
                    file.position.databaseValue, file.encodedSize.databaseValue, StoreValue.of(file.digest),
                ])
        }
        guard let text = outputs.inline, !outputs.files.isEmpty else { return }
        try db.change(
            SQL.addCopy,
            [copyKey(seq).databaseValue, id.description.databaseValue, StoreValue.of(text)])
    }

    /// The files of a tenant's job by name; nil when there is no such job.
    static func files(of id: JobID, tenant: TenantID, name: String?, on db: Database) throws -> JobOutputs? {
        let find = try db.cachedStatement(sql: "SELECT seq, state FROM jobs WHERE id = ? AND tenant = ?")
        guard let job = try Row.fetchOne(find, arguments: [id.description, tenant.description]) else { return nil }
        guard let state = JobState(rawValue: job[1]) else { throw StoreValue.damaged("job state") }
        let seq: Int64 = job[0]
        let sql = """
            SELECT name, size, sha256, position, encoded, digest FROM outputs
            WHERE seq = ?1 AND (?2 IS NULL OR name = ?2) ORDER BY name
            """
        let rows = try Row.fetchAll(db.cachedStatement(sql: sql), arguments: [seq, name])
        var found = JobOutputs(state: state, files: rows.map(file), inline: nil)
        if name != nil, !found.files.isEmpty {
            let copy = try db.cachedStatement(sql: "SELECT text FROM copies WHERE key = ?")
            found.inline = JobRowCoding.bytes(try Data.fetchOne(copy, arguments: [copyKey(seq)]))
        }
        return found
    }

    private static func file(_ row: Row) -> StoredOutput {
        StoredOutput(
            name: row[0], size: row[1], sha256: JobRowCoding.bytes(row[2]) ?? [], position: row[3],
            encodedSize: row[4], digest: JobRowCoding.bytes(row[5]) ?? [])
    }

    private static func copyKey(_ seq: Int64) -> Int64 { seq * 4 + ArtifactKind.outputs.rawValue }
}

/// What the store holds of a job's files.
package struct JobOutputs: Sendable {
    /// Where the job stands.
    package var state: JobState
    /// The files asked for.
    package var files: [StoredOutput]
    /// The bundle's text while its file may be torn; only when one file was asked for.
    package var inline: [UInt8]?
}

extension JobStore {
    /// The files that a tenant's job left, all or the one of a name; nil when there is no such job.
    package func outputs(of id: JobID, tenant: TenantID, name: String? = nil) async throws -> JobOutputs? {
        do {
            return try await pool.read { try StoreOutputs.files(of: id, tenant: tenant, name: name, on: $0) }
        } catch {
            throw error is CancellationError ? error : errors.translate(error)
        }
    }
}
