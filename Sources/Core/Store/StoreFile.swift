import Foundation
import GRDB

/// Opens the database file: makes a new one, or looks at the one that is there before anything can change it.
enum StoreFile {
    private static let magic = Array("SQLite format 3\0".utf8)
    private static let applicationIDOffset = 68
    private static let headerBytes = 100

    /// Makes sure that `path` is a job store that this version can use.
    ///
    /// - Throws: `EngineError` with code `storage` that names the file, which stays as it was.
    static func prepare(path: String, checkLimitBytes: Int) throws {
        guard FileManager.default.fileExists(atPath: path) else { return try create(path) }
        let size = try inspectHeader(path)
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { db in
                guard try !StoreSchema.migrator.hasBeenSuperseded(db) else {
                    throw refusal(path, "was written by a newer version of slipway; use that version")
                }
                guard size <= checkLimitBytes else { return }
                let verdict = try String.fetchOne(db, sql: "PRAGMA quick_check(1)")
                guard verdict == "ok" else {
                    throw refusal(path, "is damaged (\(verdict ?? "no answer")); restore it from a backup")
                }
            }
            try queue.close()
        } catch let error as DatabaseError {
            switch error.resultCode {
            // A full disk, a lock or a failing disk says nothing about the file.
            case .SQLITE_FULL, .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_BUSY, .SQLITE_LOCKED: throw error
            default: throw refusal(path, "is damaged; restore it from a backup", cause: error)
            }
        }
    }

    /// A file's size, after a look at the bytes that say what it is.
    private static func inspectHeader(_ path: String) throws -> Int {
        let header: Data
        let size: UInt64
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }  // It was only read.
            header = try file.read(upToCount: headerBytes) ?? Data()
            size = try file.seekToEnd()
        } catch {
            throw refusal(path, "cannot be read; look at its permissions", cause: error)
        }
        guard header.count == headerBytes, header.starts(with: magic) else {
            throw refusal(path, "is not a database; move it away")
        }
        let found = header[applicationIDOffset..<applicationIDOffset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard found == UInt32(bitPattern: StoreSchema.applicationID) else {
            throw refusal(path, "is a database of another program; move it away")
        }
        return Int(size)
    }

    /// Makes an empty store under another name first, so that a file of this name is a job store at any moment.
    private static func create(_ path: String) throws {
        let draft = path + ".new"
        do {
            for name in [draft, draft + "-wal", draft + "-shm", draft + "-journal"] {
                if FileManager.default.fileExists(atPath: name) { try FileManager.default.removeItem(atPath: name) }
            }
            let queue = try DatabaseQueue(path: draft)
            try queue.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA page_size = 4096")
                try db.execute(sql: "PRAGMA application_id = \(StoreSchema.applicationID)")
            }
            try StoreSchema.migrator.migrate(queue)
            try queue.writeWithoutTransaction { db in _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL") }
            try queue.close()
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: draft)
            try FileManager.default.moveItem(atPath: draft, toPath: path)
            try Folder(makingPath: URL(fileURLWithPath: path).deletingLastPathComponent().path).synchronise()
        } catch let error as CocoaError {
            throw refusal(path, "cannot be made; look at the permissions and the space of its folder", cause: error)
        }
    }

    static func refusal(_ path: String, _ what: String, cause: (any Error)? = nil) -> EngineError {
        EngineError(.storage, "The job store \(path) \(what).", cause: cause)
    }
}
