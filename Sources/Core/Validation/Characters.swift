/// The shapes of names.
enum Characters {
    /// Whether a text has 1 to `limit` ASCII letters, digits, underscores and characters of `extra`, the first none of
    /// `extra`.
    static func isWord(_ text: String, extra: String = "", limit: Int) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= limit, isWordByte(first) else { return false }
        return bytes.allSatisfy { isWordByte($0) || extra.utf8.contains($0) }
    }

    /// Whether a text is a name of the shell and of C: letters, digits and underscores, no digit first.
    static func isIdentifier(_ text: String) -> Bool {
        guard let first = text.utf8.first, !isDigit(first) else { return false }
        return text.utf8.allSatisfy(isWordByte)
    }

    /// Whether a text can be a Python name, letters beyond ASCII included.
    static func isPythonIdentifier(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, text.utf8.count <= 255 else { return false }
        guard first == "_" || first.properties.isXIDStart else { return false }
        return text.unicodeScalars.allSatisfy { $0 == "_" || $0.properties.isXIDContinue }
    }

    /// Whether a text is Python names joined by dots.
    static func isDottedIdentifier(_ text: String) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isPythonIdentifier(String($0)) }
    }

    static func isControl(_ scalar: UnicodeScalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

    static func isWordByte(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: "_") }
}
