import Foundation
import GRDB

/// Carries out operations inside the writer's transaction.
///
/// A value of the writer thread: it knows the next sequence number, so that new rows need no look-up.
struct StoreSession: Sendable {
    private(set) var nextSeq: Int64

    init(_ db: Database) throws {
        nextSeq = try Int64.fetchOne(db, sql: "SELECT coalesce(max(seq), 0) + 1 FROM jobs") ?? 1
    }

    /// Carries out one operation; an error means that the transaction must be rolled back.
    mutating func perform(_ operation: StoreOperation, on db: Database) throws -> StoreOutcome {
        switch operation {
        case .insert(let rows, let claim): try insert(rows, idempotency: claim, on: db)
        case .claim(let claim): try Self.claim(claim, on: db)
        case .markRunning(let attempts): try Self.markRunning(attempts, on: db)
        case .finish(let finish): try Self.finish(finish, on: db)
        case .requeue(let attempt, let notBefore, let deadline, let same):
            try Self.requeue(attempt, notBefore: notBefore, deadline: deadline, sameAttempt: same, on: db)
        case .requestCancel(let id):
            .applied(
                try db.change(SQL.requestCancel, [id.description.databaseValue]) == 1)
        case .delete(let id, let tenant): try Self.delete(id, tenant: tenant, on: db)
        case .purge(let ids): .changed(try ids.reduce(0) { try $0 + (Self.remove($1, tenant: nil, on: db) ? 1 : 0) })
        case .settle(let copies, let trash): try Self.settle(copies: copies, trash: trash, on: db)
        case .forgetKeys, .putSandbox, .removeSandboxes, .addTenant, .setSuspended, .removeTenant, .addKey,
            .revokeKey, .setMeta:
            try StoreAdministration.perform(operation, on: db)
        }
    }

    private mutating func insert(_ rows: [JobRow], idempotency: IdempotencyClaim?, on db: Database) throws
        -> StoreOutcome
    {
        guard let tenant = rows.first?.job.tenant else { return .done }
        if let idempotency {
            let key: [DatabaseValue] = [tenant.description.databaseValue, idempotency.key.databaseValue]
            let statement = try db.cachedStatement(sql: SQL.findKey)
            if let found = try Row.fetchOne(statement, arguments: StatementArguments(key)) {
                guard Array(found[0] as Data) == idempotency.requestHash else { return .keyReused }
                return .replay(try JobRowCoding.ids(found[1]))
            }
            let ids = rows.map(\.job.id.description).joined(separator: " ")
            try db.change(
                SQL.addKey,
                key + [
                    StoreValue.of(idempotency.requestHash), ids.databaseValue, StoreValue.of(rows[0].job.createdAt),
                ])
        }
        for row in rows {
            let seq = nextSeq
            nextSeq += 1
            try db.change(SQL.insert, JobRowCoding.insertValues(row, seq: seq))
            for (key, value) in row.job.labels {
                try db.change(SQL.addLabel, [seq.databaseValue, key.databaseValue, value.databaseValue])
            }
            try Self.keepCopy(row.input, .input, seq: seq, id: row.job.id, on: db)
        }
        return .done
    }

    private static func keepCopy(
        _ artifact: StoredArtifact?, _ kind: ArtifactKind, seq: Int64, id: JobID, on db: Database
    ) throws {
        guard let text = artifact?.inline else { return }
        try db.change(
            SQL.addCopy, [(seq * 4 + kind.rawValue).databaseValue, id.description.databaseValue, StoreValue.of(text)])
    }

    private static func claim(_ claim: JobClaim, on db: Database) throws -> StoreOutcome {
        let changed = try db.change(
            SQL.claim,
            [
                claim.attempt.attempt.databaseValue, claim.sandbox.databaseValue, StoreValue.of(claim.nonce),
                StoreValue.of(claim.start?.rawValue), StoreValue.of(claim.bootID), StoreValue.of(claim.at),
                claim.attempt.id.description.databaseValue,
            ])
        return .applied(changed == 1)
    }

    private static func markRunning(_ attempts: [StartedAttempt], on db: Database) throws -> StoreOutcome {
        var changed = 0
        for started in attempts {
            changed += try db.change(
                SQL.run,
                [
                    StoreValue.of(started.at), started.attempt.id.description.databaseValue,
                    started.attempt.attempt.databaseValue,
                ])
        }
        return .changed(changed)
    }

    private static func finish(_ finish: JobFinish, on db: Database) throws -> StoreOutcome {
        guard let find = SQL.findUnfinished[finish.state], let sql = SQL.finish[finish.state] else {
            throw EngineError(.internalFault, "A job cannot end in state \(finish.state.rawValue).")
        }
        let attempt = [finish.attempt.id.description.databaseValue, finish.attempt.attempt.databaseValue]
        guard let seq = try db.seq(find, attempt) else { return .applied(false) }
        try db.change(sql, try JobRowCoding.finishValues(finish, seq: seq))
        try keepCopy(finish.result, .result, seq: seq, id: finish.attempt.id, on: db)
        try keepCopy(finish.journal, .journal, seq: seq, id: finish.attempt.id, on: db)
        if let outputs = finish.outputs { try StoreOutputs.insert(outputs, seq: seq, id: finish.attempt.id, on: db) }
        return .applied(true)
    }

    private static func requeue(
        _ attempt: JobAttempt, notBefore: Int64?, deadline: Int64?, sameAttempt: Bool, on db: Database
    ) throws -> StoreOutcome {
        let changed = try db.change(
            sameAttempt ? SQL.giveBack : SQL.retry,
            [
                StoreValue.of(notBefore), StoreValue.of(deadline), attempt.id.description.databaseValue,
                attempt.attempt.databaseValue,
            ])
        return .applied(changed == 1)
    }

    private static func delete(_ id: JobID, tenant: TenantID, on db: Database) throws -> StoreOutcome {
        if try remove(id, tenant: tenant, on: db) { return .applied(true) }
        let statement = try db.cachedStatement(sql: SQL.exists)
        let found = try Int.fetchOne(statement, arguments: [id.description, tenant.description])
        return found == nil ? .missing : .applied(false)
    }

    private static func remove(_ id: JobID, tenant: TenantID?, on db: Database) throws -> Bool {
        let key = id.description.databaseValue
        guard let seq = try db.seq(SQL.findFinished, [key, StoreValue.of(tenant?.description)]) else { return false }
        try db.change(SQL.remove, [seq.databaseValue])
        try db.change(SQL.dropCopies, [(seq * 4).databaseValue, (seq * 4 + 3).databaseValue])
        try db.change(SQL.addTrash, [key])
        return true
    }

    private static func settle(copies: [Int64], trash: [JobID], on db: Database) throws -> StoreOutcome {
        var changed = 0
        for key in copies {
            changed += try db.change(SQL.dropCopies, [key.databaseValue, key.databaseValue])
        }
        for id in trash { try db.change(SQL.dropTrash, [id.description.databaseValue]) }
        return .changed(changed)
    }
}
