/// A parsed JSON text: its bytes, and where each value lies in them.
///
/// Parsing checks everything and decodes nothing: strings and numbers are decoded when they are asked for, and the
/// bytes of any value can be taken as they came.
package final class JSONDocument: Sendable {
    /// What bounds the work and memory that a text may cost.
    package struct Limits: Sendable {
        /// Nested arrays and objects.
        package var depth: Int
        /// Values in all, member names included; each costs 16 bytes.
        package var values: Int

        package init(depth: Int = 32, values: Int = 2_000_000) {
            self.depth = depth
            self.values = values
        }
    }

    /// Where one value lies.
    struct Entry: Sendable {
        /// The first byte.
        var start: UInt32
        /// The byte after the last.
        var end: UInt32
        /// The index of the entry after this value and all that it holds.
        var next: UInt32
        var kind: JSONNode.Kind
        /// Whether a string has escapes, or a number a fraction or an exponent.
        var isComplex: Bool
    }

    /// The text.
    package let bytes: [UInt8]
    let entries: [Entry]

    init(bytes: [UInt8], entries: [Entry]) {
        self.bytes = bytes
        self.entries = entries
    }

    /// Parses one JSON value that fills `bytes` but for white space.
    ///
    /// - Throws: ``JSONParseError`` with the offset of the first fault.
    package convenience init(parsing bytes: [UInt8], limits: Limits = Limits()) throws(JSONParseError) {
        let entries = try JSONParser.parse(bytes, limits: limits)
        self.init(bytes: bytes, entries: entries)
    }

    /// The whole value.
    package var root: JSONNode { JSONNode(document: self, index: 0) }
}
