/// A configuration value in the form in which it is shown, compared and documented.
package enum ConfigurationValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([ConfigurationValue])
    case mapping([Entry])

    /// One key of a mapping with its value.
    package struct Entry: Sendable, Hashable {
        package var key: String
        package var value: ConfigurationValue
    }

    /// The value as one line that is valid both as JSON and as a YAML flow value, with quotes only where `json` or
    /// the text demand them.
    package func inline(json: Bool) -> String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .text(let text): !json && Self.isPlain(text) ? text : Self.quoted(text)
        case .list(let items): "[" + items.map { $0.inline(json: json) }.joined(separator: ", ") + "]"
        case .mapping(let entries):
            "{"
                + entries.map { entry in
                    let key = !json && Self.isPlain(entry.key) ? entry.key : Self.quoted(entry.key)
                    return "\(key): \(entry.value.inline(json: json))"
                }.joined(separator: ", ") + "}"
        }
    }

    /// The value with the credentials and queries of every URL in it replaced.
    package var redacted: ConfigurationValue {
        switch self {
        case .null, .bool, .integer, .number: self
        case .text(let text): .text(Self.redact(text))
        case .list(let items): .list(items.map(\.redacted))
        case .mapping(let entries): .mapping(entries.map { Entry(key: $0.key, value: $0.value.redacted) })
        }
    }

    /// A text with what may be secret in a URL replaced: `user:password@` and everything after `?`.
    package static func redact(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        var result = String(text[..<scheme.upperBound])
        var rest = text[scheme.upperBound...]
        let authorityEnd = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        // The last @ ends the credentials, since a password may hold one; even one that holds a / is covered.
        if let at = rest[..<authorityEnd].lastIndex(of: "@") ?? rest.lastIndex(of: "@") {
            result += "REDACTED@"
            rest = rest[rest.index(after: at)...]
        }
        guard let query = rest.firstIndex(of: "?") else { return result + rest }
        return result + rest[..<query] + "?REDACTED"
    }

    /// Whether a text reads back as the same text in YAML, in block and in flow style, without quotes.
    static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 1024 else { return false }
        let words: Set<String> = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
        guard !words.contains(text.lowercased()) else { return false }
        let letters = UInt8(ascii: "A")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard (letters.contains(first) || digits.contains(first) || first == UInt8(ascii: "/")), Double(text) == nil
        else {
            return false
        }
        let allowed = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || digits.contains(byte) || "/._-+@=".utf8.contains(byte) || byte == UInt8(ascii: ":")
        }
        return allowed && !text.hasSuffix(":")
    }

    /// A text in double quotes with escapes that JSON and YAML share.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
                    || [0x2028, 0x2029].contains(scalar.value)
                {
                    let hex = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
