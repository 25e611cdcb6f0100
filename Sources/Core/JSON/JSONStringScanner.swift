/// Finds the end of a JSON string and checks all that lies in it.
struct JSONStringScanner {
    let source: UnsafeBufferPointer<UInt8>
    var position: Int

    /// Moves past the closing quote; says whether the string has escapes.
    mutating func scan(from start: Int) throws(JSONParseError) -> Bool {
        var hasEscapes = false
        while true {
            skipPlain()
            guard position < source.count else {
                throw JSONParseError(
                    .truncated, at: source.count, "The text ends in the string that starts at byte \(start)")
            }
            switch source[position] {
            case UInt8(ascii: "\""):
                position += 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try scanEscape()
            case 0..<0x20:
                throw JSONParseError(
                    .syntax, at: position, "A control character in a string must be escaped as \\u00XX")
            case 0x20..<0x80: position += 1
            default: try scanMultibyte()
            }
        }
    }

    /// Skips printable ASCII, eight bytes at a time: payloads of many megabytes are such text.
    private mutating func skipPlain() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let high: UInt64 = 0x8080_8080_8080_8080
        let raw = UnsafeRawBufferPointer(source)
        while position + 8 <= raw.count {
            let word = raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let control = word &- (ones &* 0x20)
            let quote = (word ^ (ones &* 0x22)) &- ones
            let backslash = (word ^ (ones &* 0x5C)) &- ones
            // A byte that ends the run sets its high bit; a borrow can only add false alarms, which cost one pass.
            if (word | control | quote | backslash) & high != 0 { return skipPlainBytes() }
            position += 8
        }
        skipPlainBytes()
    }

    private mutating func skipPlainBytes() {
        while position < source.count {
            let byte = source[position]
            guard byte >= 0x20, byte < 0x80, byte != 0x22, byte != 0x5C else { return }
            position += 1
        }
    }

    private mutating func scanEscape() throws(JSONParseError) {
        let start = position
        position += 1
        guard position < source.count else { throw truncated() }
        switch source[position] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            let unit = try scanHex()
            guard (0xD800..<0xE000).contains(unit) else { return }
            guard unit < 0xDC00, position + 1 < source.count, source[position] == UInt8(ascii: "\\"),
                source[position + 1] == UInt8(ascii: "u")
            else { throw lone(start) }
            position += 2
            guard (0xDC00..<0xE000).contains(try scanHex()) else { throw lone(start) }
        default:
            throw JSONParseError(.syntax, at: start, "JSON has no such escape in strings")
        }
    }

    private mutating func scanHex() throws(JSONParseError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard position < source.count else { throw truncated() }
            guard let digit = hexDigit(source[position]) else {
                throw JSONParseError(.syntax, at: position, "Expected four hexadecimal digits after \\u")
            }
            unit = unit << 4 | digit
            position += 1
        }
        return unit
    }

    /// One character of two to four bytes; overlong forms, surrogates and values past U+10FFFF are refused.
    private mutating func scanMultibyte() throws(JSONParseError) {
        let lead = source[position]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: throw notUTF8()
        }
        guard position + length <= source.count, second.contains(source[position + 1]) else { throw notUTF8() }
        for place in 2..<max(length, 2) where source[position + place] & 0xC0 != 0x80 { throw notUTF8() }
        position += length
    }

    private func truncated() -> JSONParseError {
        JSONParseError(.truncated, at: source.count, "The text ends in the middle of a string")
    }

    private func lone(_ start: Int) -> JSONParseError {
        JSONParseError(.loneSurrogate, at: start, "Half of a surrogate pair is no character")
    }

    private func notUTF8() -> JSONParseError {
        JSONParseError(.invalidUTF8, at: position, "The bytes are not valid UTF-8")
    }
}

/// The value of a hexadecimal digit.
func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
}

extension JSONParser {
    /// The UTF-8 of the content of a string that has been checked already.
    static func unescape(_ content: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(content.count)
        var index = content.startIndex
        func unit() -> UInt32 {
            let value = content[index..<index + 4].reduce(UInt32(0)) { $0 << 4 | (hexDigit($1) ?? 0) }
            index += 4
            return value
        }
        while index < content.endIndex {
            let byte = content[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            let escape = content[index]
            index += 1
            switch escape {
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                var code = unit()
                if (0xD800..<0xDC00).contains(code) {
                    index += 2
                    code = 0x10000 + (code - 0xD800) << 10 + (unit() - 0xDC00)
                }
                if let scalar = UnicodeScalar(code) { text.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
            default: text.append(escape)
            }
        }
        return text
    }
}
