import Foundation
import GRDB

/// Conversions between the domain's values and columns.
enum StoreValue {
    /// Milliseconds since 1970.
    static func milliseconds(_ date: Date) -> Int64 { Int64((date.timeIntervalSince1970 * 1000).rounded()) }

    /// The moment of milliseconds since 1970.
    static func date(_ milliseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }

    static func of(_ value: String?) -> DatabaseValue { value?.databaseValue ?? .null }
    static func of(_ value: Int?) -> DatabaseValue { value?.databaseValue ?? .null }
    static func of(_ value: Int64?) -> DatabaseValue { value?.databaseValue ?? .null }
    static func of(_ value: Double?) -> DatabaseValue { value?.databaseValue ?? .null }
    static func of(_ value: Bool) -> DatabaseValue { (value ? 1 : 0).databaseValue }
    static func of(_ value: Date?) -> DatabaseValue { value.map(milliseconds)?.databaseValue ?? .null }

    static func of(_ value: [UInt8]?) -> DatabaseValue {
        guard let value else { return .null }
        return Data(value).databaseValue
    }

    /// Labels as a JSON object; nil when there are none.
    static func labels(_ labels: [String: String]) throws -> DatabaseValue {
        guard !labels.isEmpty else { return .null }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(labels), as: UTF8.self).databaseValue
    }

    /// Labels from their column.
    static func labels(_ text: String?) throws -> [String: String] {
        guard let text else { return [:] }
        return try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
    }

    /// A value as JSON text.
    static func json(_ value: (some Encodable)?) throws -> DatabaseValue {
        guard let value else { return .null }
        return String(decoding: try JSONEncoder().encode(value), as: UTF8.self).databaseValue
    }

    /// A value from its column of JSON text.
    static func json<Value: Decodable>(_ type: Value.Type, _ text: String?) throws -> Value? {
        try text.map { try JSONDecoder().decode(type, from: Data($0.utf8)) }
    }

    /// The error for a column that holds what this engine never writes.
    static func damaged(_ what: String) -> EngineError {
        EngineError(.storage, "The job store holds an unreadable value (\(what)); restore it from a backup.")
    }

    /// States as a list for `IN (..)`.
    static func list(_ states: some Sequence<JobState>) -> String {
        states.map { "'\($0.rawValue)'" }.joined(separator: ", ")
    }

    /// The condition that a row is in one of some states; unlike a list, it needs no temporary table.
    static func isAny(of states: some Sequence<JobState>) -> String {
        "(" + states.map { "state = '\($0.rawValue)'" }.joined(separator: " OR ") + ")"
    }
}

extension Database {
    /// Runs one statement, prepared once for this connection, and returns how many rows it changed.
    @discardableResult
    func change(_ sql: String, _ values: [DatabaseValue] = []) throws -> Int {
        let statement = try cachedStatement(sql: sql)
        statement.setUncheckedArguments(arguments(values))
        try statement.execute()
        return changesCount
    }

    /// The `seq` that a statement selects, prepared once for this connection.
    ///
    /// Before a change instead of `RETURNING` with it, for which SQLite makes a temporary table with a page cache of its
    /// own each time.
    func seq(_ sql: String, _ values: [DatabaseValue]) throws -> Int64? {
        let statement = try cachedStatement(sql: sql)
        return try Int64.fetchOne(statement, arguments: arguments(values))
    }

    /// Of values of one type GRDB would make a key path each time, a tenth of what a commit costs.
    private func arguments(_ values: [DatabaseValue]) -> StatementArguments {
        StatementArguments(values.map { $0 as (any DatabaseValueConvertible)? })
    }
}
