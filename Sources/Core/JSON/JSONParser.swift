/// A strict JSON parser (RFC 8259): one value, valid UTF-8, no duplicate names, bounded depth.
///
/// It works on the bytes of the text with an index, and writes one entry for each value.
package struct JSONParser {
    private let source: UnsafeBufferPointer<UInt8>
    private let limits: JSONDocument.Limits
    private var position = 0
    private var entries: [JSONDocument.Entry] = []
    private let keepsEntries: Bool

    /// Whether bytes are one JSON value; member names may stand twice, and nothing is kept of it.
    package static func isJSON(_ bytes: [UInt8], depth: Int) -> Bool {
        bytes.withUnsafeBufferPointer { buffer in
            do throws(JSONParseError) {
                var parser = JSONParser(
                    source: buffer, limits: .init(depth: depth, values: .max), keepsEntries: false)
                _ = try parser.parseText()
                return true
            } catch {
                return false
            }
        }
    }

    static func parse(
        _ bytes: [UInt8], limits: JSONDocument.Limits
    ) throws(JSONParseError) -> [JSONDocument.Entry] {
        guard bytes.count < Int(UInt32.max) else {
            throw JSONParseError(.tooManyValues, at: 0, "The text is longer than 4 GiB")
        }
        let outcome: Result<[JSONDocument.Entry], JSONParseError> = bytes.withUnsafeBufferPointer { buffer in
            do throws(JSONParseError) {
                var parser = JSONParser(source: buffer, limits: limits, keepsEntries: true)
                return .success(try parser.parseText())
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    private init(source: UnsafeBufferPointer<UInt8>, limits: JSONDocument.Limits, keepsEntries: Bool) {
        self.source = source
        self.limits = limits
        self.keepsEntries = keepsEntries
        guard keepsEntries else { return }
        entries.reserveCapacity(min(64, source.count / 4 + 2))
    }

    private mutating func parseText() throws(JSONParseError) -> [JSONDocument.Entry] {
        skipWhiteSpace()
        guard position < source.count else { throw JSONParseError(.empty, at: position, "The text is empty") }
        try parseValue(depth: 0)
        skipWhiteSpace()
        guard position == source.count else {
            throw JSONParseError(.trailingData, at: position, "Something follows the JSON value")
        }
        return entries
    }

    private mutating func skipWhiteSpace() {
        while position < source.count {
            switch source[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func parseValue(depth: Int) throws(JSONParseError) {
        guard position < source.count else { throw truncated() }
        switch source[position] {
        case UInt8(ascii: "\""): try parseString()
        case UInt8(ascii: "{"): try parseObject(depth: depth + 1)
        case UInt8(ascii: "["): try parseArray(depth: depth + 1)
        case UInt8(ascii: "t"): try parseWord("true", .true)
        case UInt8(ascii: "f"): try parseWord("false", .false)
        case UInt8(ascii: "n"): try parseWord("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try parseNumber()
        default: throw unexpected("a value")
        }
    }

    private mutating func parseObject(depth: Int) throws(JSONParseError) {
        let own = try open(.object, depth: depth)
        var names = 0
        skipWhiteSpace()
        if peek() == UInt8(ascii: "}") {
            position += 1
        } else {
            while true {
                guard let byte = peek() else { throw truncated() }
                guard byte == UInt8(ascii: "\"") else { throw unexpected("a member name in double quotes") }
                try parseString()
                names += 1
                skipWhiteSpace()
                guard let colon = peek() else { throw truncated() }
                guard colon == UInt8(ascii: ":") else { throw unexpected("':'") }
                position += 1
                skipWhiteSpace()
                try parseValue(depth: depth)
                skipWhiteSpace()
                if try endOfList(UInt8(ascii: "}"), "',' or '}'") { break }
            }
        }
        close(own)
        if names > 1, keepsEntries { try refuseDuplicates(of: own, count: names) }
    }

    private mutating func parseArray(depth: Int) throws(JSONParseError) {
        let own = try open(.array, depth: depth)
        skipWhiteSpace()
        if peek() == UInt8(ascii: "]") {
            position += 1
        } else {
            while true {
                try parseValue(depth: depth)
                skipWhiteSpace()
                if try endOfList(UInt8(ascii: "]"), "',' or ']'") { break }
            }
        }
        close(own)
    }

    /// Takes a comma (and says false) or the closing bracket (and says true).
    private mutating func endOfList(_ closing: UInt8, _ expected: String) throws(JSONParseError) -> Bool {
        guard let byte = peek() else { throw truncated() }
        if byte == closing {
            position += 1
            return true
        }
        guard byte == UInt8(ascii: ",") else { throw unexpected(expected) }
        position += 1
        skipWhiteSpace()
        return false
    }

    private mutating func parseWord(_ word: StaticString, _ kind: JSONNode.Kind) throws(JSONParseError) {
        let start = position
        for place in 0..<word.utf8CodeUnitCount {
            guard start + place < source.count else { throw truncated() }
            guard source[start + place] == word.utf8Start[place] else { throw unexpected("a value") }
        }
        position = start + word.utf8CodeUnitCount
        try append(kind, from: start)
    }

    private mutating func parseNumber() throws(JSONParseError) {
        let start = position
        var isComplex = false
        if peek() == UInt8(ascii: "-") { position += 1 }
        if peek() == UInt8(ascii: "0") {
            position += 1
            if let byte = peek(), isDigit(byte) { throw unexpected("a number without leading zeros") }
        } else {
            try takeDigits()
        }
        if peek() == UInt8(ascii: ".") {
            isComplex = true
            position += 1
            try takeDigits()
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            isComplex = true
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try takeDigits()
        }
        try append(.number, from: start, isComplex: isComplex)
    }

    private mutating func takeDigits() throws(JSONParseError) {
        guard let first = peek() else { throw truncated() }
        guard isDigit(first) else { throw unexpected("a digit") }
        while let byte = peek(), isDigit(byte) { position += 1 }
    }

    private mutating func parseString() throws(JSONParseError) {
        let start = position
        var scanner = JSONStringScanner(source: source, position: position + 1)
        let isComplex = try scanner.scan(from: start)
        position = scanner.position
        try append(.string, from: start, isComplex: isComplex)
    }
}

extension JSONParser {
    private mutating func open(_ kind: JSONNode.Kind, depth: Int) throws(JSONParseError) -> Int {
        guard depth <= limits.depth else {
            throw JSONParseError(
                .tooDeep, at: position, "Arrays and objects are nested deeper than \(limits.depth) levels")
        }
        try append(kind, from: position)
        position += 1
        return entries.count - 1
    }

    private mutating func close(_ index: Int) {
        guard keepsEntries else { return }
        entries[index].end = UInt32(truncatingIfNeeded: position)
        entries[index].next = UInt32(truncatingIfNeeded: entries.count)
    }

    private mutating func append(
        _ kind: JSONNode.Kind, from start: Int, isComplex: Bool = false
    ) throws(JSONParseError) {
        guard keepsEntries else { return }
        guard entries.count < limits.values else {
            throw JSONParseError(.tooManyValues, at: start, "The text holds more than \(limits.values) values")
        }
        entries.append(
            .init(
                start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: position),
                next: UInt32(truncatingIfNeeded: entries.count + 1), kind: kind, isComplex: isComplex))
    }

    private func refuseDuplicates(of object: Int, count: Int) throws(JSONParseError) {
        var keys: [Int] = []
        keys.reserveCapacity(count)
        var index = object + 1
        let end = Int(entries[object].next)
        while index < end {
            keys.append(index)
            index = Int(entries[index + 1].next)
        }
        if count <= 16, !keys.contains(where: { entries[$0].isComplex }) {
            for later in 1..<keys.count {
                for earlier in 0..<later where isSameText(keys[earlier], keys[later]) {
                    throw duplicate(keys[later])
                }
            }
            return
        }
        // Names are compared as bytes: Swift's strings also equate those that differ in their normalisation.
        var seen = Set<[UInt8]>(minimumCapacity: count)
        for key in keys where !seen.insert(decoded(key)).inserted { throw duplicate(key) }
    }

    private func isSameText(_ left: Int, _ right: Int) -> Bool {
        let (a, b) = (entries[left], entries[right])
        let length = Int(a.end - a.start)
        guard length == Int(b.end - b.start) else { return false }
        for place in 0..<length where source[Int(a.start) + place] != source[Int(b.start) + place] { return false }
        return true
    }

    private func decoded(_ index: Int) -> [UInt8] {
        let entry = entries[index]
        let content = Array(source[Int(entry.start) + 1..<Int(entry.end) - 1])
        return entry.isComplex ? Self.unescape(content[...]) : content
    }

    private func duplicate(_ index: Int) -> JSONParseError {
        let name = String(decoding: decoded(index).prefix(64), as: UTF8.self)
        return JSONParseError(
            .duplicateKey, at: Int(entries[index].start), "The member '\(name)' stands twice in one object")
    }

    private func peek() -> UInt8? { position < source.count ? source[position] : nil }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    private func truncated() -> JSONParseError {
        JSONParseError(.truncated, at: source.count, "The text ends in the middle of a value")
    }

    private func unexpected(_ expected: String) -> JSONParseError {
        let byte = source[position]
        if position == 0, byte == 0xEF {
            return JSONParseError(.syntax, at: 0, "The text starts with a byte order mark, which JSON does not allow")
        }
        let found =
            (0x21...0x7E).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
        return JSONParseError(.syntax, at: position, "Expected \(expected), found \(found)")
    }
}
