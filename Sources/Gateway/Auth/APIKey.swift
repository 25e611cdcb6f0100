import Crypto

/// A key for the REST interface: `slw_<id>_<secret>`.
///
/// The id has 10 and the secret 52 characters of Crockford's base 32 in lower case: 50 and 260 random bits. Only the
/// SHA-256 of the whole text is stored; the id names the key in lists and logs.
package struct APIKey: Sendable {
    /// The whole key; whoever has it has what it allows.
    package let text: String
    /// The public name of the key.
    package let id: String

    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")

    /// Makes a new key.
    package init() {
        var generator = SystemRandomNumberGenerator()
        let random = { (count: Int) in
            String((0..<count).map { _ in Self.alphabet[Int(generator.next(upperBound: UInt8(32)))] })
        }
        id = random(10)
        text = "slw_\(id)_\(random(52))"
    }

    /// The SHA-256 of the key, as it is stored.
    package var hash: [UInt8] { Self.hash(of: text) }

    /// The SHA-256 of any text that may be a key.
    package static func hash(of text: String) -> [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }
}
