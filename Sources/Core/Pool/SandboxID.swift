/// The identifier of a sandbox: `sbx_` and 130 random bits as 26 lower-case characters of Crockford's base 32.
package struct SandboxID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The identifier's text; fit for container names, labels and folder names.
    package let description: String

    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    private static let prefix = Array("sbx_".utf8)
    private static let randomCharacters = 26

    /// Makes a new identifier.
    package init() {
        var generator = SystemRandomNumberGenerator()
        self.init(using: &generator)
    }

    /// Makes an identifier from the bits of `generator`.
    package init(using generator: inout some RandomNumberGenerator) {
        var text = Self.prefix
        text.reserveCapacity(Self.prefix.count + Self.randomCharacters)
        var bits: UInt64 = 0
        for place in 0..<Self.randomCharacters {
            if place % 12 == 0 { bits = generator.next() }
            text.append(Self.alphabet[Int(bits & 31)])
            bits >>= 5
        }
        description = String(decoding: text, as: UTF8.self)
    }

    /// Parses an identifier; nil when the text does not have its shape.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.prefix.count + Self.randomCharacters, bytes.starts(with: Self.prefix),
            bytes.dropFirst(Self.prefix.count).allSatisfy(Self.alphabet.contains)
        else { return nil }
        description = String(text)
    }

    /// Orders identifiers by their text, which says nothing about their age.
    package static func < (left: SandboxID, right: SandboxID) -> Bool { left.description < right.description }
}
