/// A range of IPv4 addresses in the notation of RFC 4632, such as `10.1.0.0/16`.
package struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    /// The first address, most significant byte first.
    package let first: UInt32
    /// The bits that all its addresses share.
    package let prefix: Int

    /// Reads a range; nil for anything else, also where bits beyond the prefix are set.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let prefix = Self.number(parts[1], upTo: 32) else { return nil }
        let bytes = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        guard bytes.count == 4 else { return nil }
        var first: UInt32 = 0
        for byte in bytes {
            guard let number = Self.number(byte, upTo: 255) else { return nil }
            first = first << 8 | UInt32(number)
        }
        self.first = first
        self.prefix = prefix
        guard first & ~mask == 0 else { return nil }
    }

    /// Whether it is one address.
    package var isSingle: Bool { prefix == 32 }

    package var description: String {
        let bytes = stride(from: 24, through: 0, by: -8).map { String(first >> UInt32($0) & 255) }
        return bytes.joined(separator: ".") + "/\(prefix)"
    }

    /// Whether all of another range lies in this one.
    package func contains(_ other: AddressRange) -> Bool {
        other.prefix >= prefix && other.first & mask == first
    }

    private var mask: UInt32 { prefix == 0 ? 0 : ~UInt32(0) << UInt32(32 - prefix) }

    private static func number(_ text: Substring, upTo limit: Int) -> Int? {
        guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy(Characters.isDigit),
            text == "0" || !text.hasPrefix("0"), let number = Int(text), number <= limit
        else { return nil }
        return number
    }
}
