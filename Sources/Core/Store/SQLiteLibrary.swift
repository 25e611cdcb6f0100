import GRDB

/// The SQLite that is linked.
package enum SQLiteLibrary {
    /// Its version, such as `3.40.1`.
    package static func version() throws -> String {
        try DatabaseQueue().read { try String.fetchOne($0, sql: "SELECT sqlite_version()") ?? "unknown" }
    }
}
