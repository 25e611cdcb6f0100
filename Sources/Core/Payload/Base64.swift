/// Base64 (RFC 4648 section 4) over raw buffers: padded, no line breaks, strict on input.
///
/// Foundation's codec copies through `Data` and accepts stray bits in the last group.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let pad = UInt8(ascii: "=")
    private static let invalid: UInt32 = 1 << 31

    /// Two characters for each 12 bits, in memory order.
    private static let pairs: [UInt16] = (0..<4096).map { bits in
        UInt16(alphabet[bits >> 6]) | UInt16(alphabet[bits & 63]) << 8
    }

    /// For each of the four places in a group, the bits that a character stands for; `invalid` for no character.
    private static let places: [UInt32] = {
        var table = [UInt32](repeating: invalid, count: 4 * 256)
        for place in 0..<4 {
            for (value, character) in alphabet.enumerated() {
                table[place * 256 + Int(character)] = UInt32(value) << UInt32(18 - 6 * place)
            }
        }
        return table
    }()

    /// How many characters encode `count` bytes.
    static func encodedSize(_ count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Writes the encoding of `bytes`, with padding at the end, and returns how many characters that were.
    static func encode(_ bytes: UnsafeBufferPointer<UInt8>, into text: UnsafeMutableBufferPointer<UInt8>) -> Int {
        precondition(text.count >= encodedSize(bytes.count))
        guard let source = bytes.baseAddress, let target = text.baseAddress else { return 0 }
        let whole = bytes.count / 3
        pairs.withUnsafeBufferPointer { pairs in
            var from = source
            var raw = UnsafeMutableRawPointer(target)
            for _ in 0..<whole {
                let high = Int(from[0]) << 4 | Int(from[1]) >> 4
                let low = Int(from[1] & 15) << 8 | Int(from[2])
                raw.storeBytes(of: UInt32(pairs[high]) | UInt32(pairs[low]) << 16, as: UInt32.self)
                from += 3
                raw += 4
            }
        }
        let rest = bytes.count - whole * 3
        if rest > 0 {
            let first = source[whole * 3]
            let second = rest == 2 ? source[whole * 3 + 1] : 0
            let tail = target + whole * 4
            tail[0] = alphabet[Int(first >> 2)]
            tail[1] = alphabet[Int((first & 3) << 4 | second >> 4)]
            tail[2] = rest == 2 ? alphabet[Int((second & 15) << 2)] : pad
            tail[3] = pad
        }
        return encodedSize(bytes.count)
    }

    /// Decodes whole groups and returns the number of bytes; only the last slice of a text may end in padding.
    static func decode(
        _ text: UnsafeBufferPointer<UInt8>, isLast: Bool, into bytes: UnsafeMutableBufferPointer<UInt8>
    ) throws -> Int {
        guard text.count % 4 == 0 else { throw PayloadFault.badBase64.error }
        guard text.count > 0, let source = text.baseAddress, let target = bytes.baseAddress else { return 0 }
        precondition(bytes.count >= text.count / 4 * 3)
        let padded = isLast && source[text.count - 1] == pad
        let whole = text.count / 4 - (padded ? 1 : 0)
        let seen = places.withUnsafeBufferPointer { places in
            var from = source
            var to = target
            var seen: UInt32 = 0
            for _ in 0..<whole {
                let bits =
                    places[Int(from[0])] | places[256 + Int(from[1])] | places[512 + Int(from[2])]
                    | places[768 + Int(from[3])]
                seen |= bits
                to[0] = UInt8(truncatingIfNeeded: bits >> 16)
                to[1] = UInt8(truncatingIfNeeded: bits >> 8)
                to[2] = UInt8(truncatingIfNeeded: bits)
                from += 4
                to += 3
            }
            return seen
        }
        guard seen & invalid == 0 else { throw PayloadFault.badBase64.error }
        guard padded else { return whole * 3 }
        return try whole * 3 + decodePadded(source + whole * 4, into: target + whole * 3)
    }

    private static func decodePadded(_ group: UnsafePointer<UInt8>, into bytes: UnsafeMutablePointer<UInt8>) throws
        -> Int
    {
        let single = group[2] == pad
        let bits =
            places[Int(group[0])] | places[256 + Int(group[1])] | (single ? 0 : places[512 + Int(group[2])])
        // Bits behind the last byte must be zero, or two texts would stand for the same bytes.
        guard bits & invalid == 0, bits & (single ? 0xFFFF : 0xFF) == 0 else { throw PayloadFault.badBase64.error }
        bytes[0] = UInt8(truncatingIfNeeded: bits >> 16)
        if single { return 1 }
        bytes[1] = UInt8(truncatingIfNeeded: bits >> 8)
        return 2
    }
}
