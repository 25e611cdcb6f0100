import Foundation

/// JSON as the Engine API has it.
enum DockerJSON {
    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }

    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// The `filters` query value: `{"label": ["a=b"]}`.
    static func filters(_ filters: [String: [String]]) throws -> String {
        String(decoding: try encode(filters), as: UTF8.self)
    }
}
