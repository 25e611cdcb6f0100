/// Turns a stream of bytes into text, holding back a character that was cut in two.
///
/// Bytes that are not UTF-8 become U+FFFD, as everywhere in Swift.
package struct TextAssembler: Sendable {
    private var held: [UInt8] = []

    package init() {}

    /// Takes more bytes and gives the text that is complete.
    package mutating func append(_ bytes: some Collection<UInt8>) -> String {
        var all = held
        all.append(contentsOf: bytes)
        let keep = Self.incompleteSuffix(of: all)
        held = Array(all.suffix(keep))
        return String(decoding: all.dropLast(keep), as: UTF8.self)
    }

    /// Gives what was held back, at the end of the stream.
    package mutating func finish() -> String {
        defer { held = [] }
        return held.isEmpty ? "" : String(decoding: held, as: UTF8.self)
    }

    /// How many bytes at the end begin a character that is not complete: 0 to 3.
    private static func incompleteSuffix(of bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let byte = bytes[bytes.count - length]
            if byte & 0b1100_0000 == 0b1000_0000 { continue }
            let wanted =
                switch byte {
                case 0b1100_0000...0b1101_1111: 2
                case 0b1110_0000...0b1110_1111: 3
                case 0b1111_0000...0b1111_0111: 4
                default: 1
                }
            return wanted > length ? length : 0
        }
        return 0
    }
}
