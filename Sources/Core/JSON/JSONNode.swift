/// One value of a parsed JSON text.
package struct JSONNode: Sendable {
    /// The kinds of JSON values.
    package enum Kind: UInt8, Sendable {
        case null, `true`, `false`, number, string, array, object

        /// The kind in words, with its article.
        package var name: String {
            switch self {
            case .null: "null"
            case .true, .false: "a boolean"
            case .number: "a number"
            case .string: "a string"
            case .array: "an array"
            case .object: "an object"
            }
        }
    }

    let document: JSONDocument
    let index: Int

    private var entry: JSONDocument.Entry { document.entries[index] }

    /// What kind of value it is.
    package var kind: Kind { entry.kind }

    /// Where the value lies in the text, quotes and brackets included.
    package var range: Range<Int> { Int(entry.start)..<Int(entry.end) }

    /// The bytes of the value as they came.
    package var raw: ArraySlice<UInt8> { document.bytes[range] }

    /// The bytes between the quotes of a string that has no escapes; nil for any other value.
    package var unescapedBytes: ArraySlice<UInt8>? {
        let entry = entry
        guard entry.kind == .string, !entry.isComplex else { return nil }
        return document.bytes[Int(entry.start) + 1..<Int(entry.end) - 1]
    }

    /// Whether it is `null`.
    package var isNull: Bool { kind == .null }

    /// The value of a boolean.
    package var bool: Bool? {
        switch kind {
        case .true: true
        case .false: false
        case .null, .number, .string, .array, .object: nil
        }
    }

    /// The text of a string.
    package var string: String? {
        let entry = entry
        guard entry.kind == .string else { return nil }
        let content = document.bytes[Int(entry.start) + 1..<Int(entry.end) - 1]
        return entry.isComplex
            ? String(decoding: JSONParser.unescape(content), as: UTF8.self) : String(decoding: content, as: UTF8.self)
    }

    /// The UTF-8 of a string, decoded.
    package var stringBytes: [UInt8]? {
        let entry = entry
        guard entry.kind == .string else { return nil }
        let content = document.bytes[Int(entry.start) + 1..<Int(entry.end) - 1]
        return entry.isComplex ? JSONParser.unescape(content) : Array(content)
    }

    /// A number without fraction or exponent that fits 64 bits.
    package var integer: Int? {
        let entry = entry
        guard entry.kind == .number, !entry.isComplex else { return nil }
        return Int(String(decoding: raw, as: UTF8.self))
    }

    /// Any number that a `Double` can hold.
    package var double: Double? {
        guard kind == .number, let value = Double(String(decoding: raw, as: UTF8.self)), value.isFinite
        else { return nil }
        return value
    }

    /// The elements of an array; none for any other value.
    package var elements: Elements {
        Elements(document: document, index: index + 1, end: kind == .array ? Int(entry.next) : index + 1)
    }

    /// The members of an object in their order; none for any other value.
    package var members: Members {
        Members(document: document, index: index + 1, end: kind == .object ? Int(entry.next) : index + 1)
    }

    /// The member of an object with this name.
    package subscript(_ name: String) -> JSONNode? {
        for member in members where member.name == name { return member.value }
        return nil
    }

    /// The elements of an array.
    package struct Elements: Sequence, IteratorProtocol {
        let document: JSONDocument
        var index: Int
        let end: Int

        package mutating func next() -> JSONNode? {
            guard index < end else { return nil }
            defer { index = Int(document.entries[index].next) }
            return JSONNode(document: document, index: index)
        }
    }

    /// The members of an object.
    package struct Members: Sequence, IteratorProtocol {
        let document: JSONDocument
        var index: Int
        let end: Int

        package mutating func next() -> Member? {
            guard index < end else { return nil }
            let member = Member(
                key: JSONNode(document: document, index: index), value: JSONNode(document: document, index: index + 1))
            index = Int(document.entries[index + 1].next)
            return member
        }
    }

    /// One member of an object.
    package struct Member: Sendable {
        /// The name as a value of the text.
        package let key: JSONNode
        /// The value.
        package let value: JSONNode
        /// The name, decoded.
        package var name: String { key.string ?? "" }
    }
}
