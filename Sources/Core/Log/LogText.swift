/// Makes texts that tasks, clients and engines chose safe for a line of a log.
package enum LogText {
    /// A message: one line, without what moves a terminal's cursor or ends a line for some reader.
    package static func message(_ text: String) -> String {
        needsEscape(text) ? escaped(text, quotes: false) : text
    }

    /// A value after `key=`: quoted where it could otherwise be taken for more than one value.
    package static func value(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D }
        if isPlain, !needsEscape(text) { return text }
        return "\"\(escaped(text, quotes: true))\""
    }

    /// A key, which has no place for quotes.
    package static func key(_ text: String) -> String {
        String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "_" })
    }

    private static func needsEscape(_ text: String) -> Bool { text.unicodeScalars.contains(where: isUnsafe) }

    /// Control characters of ASCII and Latin-1, and all that changes lines or the direction of the text around it.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\\": result += "\\\\"
            case "\"" where quotes: result += "\\\""
            case _ where isUnsafe(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
