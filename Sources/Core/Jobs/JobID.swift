import Foundation

/// The identifier of a job: `job_`, a millisecond time stamp and 130 random bits in Crockford's base 32.
///
/// Identifiers sort by the time of submission. Shape: `job_` and 36 characters of `0-9A-HJKMNP-TV-Z`.
public struct JobID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The identifier's text.
    public let description: String

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    private static let prefix = Array("job_".utf8)
    private static let timeCharacters = 10
    private static let randomCharacters = 26

    /// Makes a new identifier for this moment.
    public init() {
        self.init(milliseconds: UInt64(max(0, Date().timeIntervalSince1970 * 1000)))
    }

    /// Parses an identifier; nil when the text does not have its shape.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.prefix.count + Self.timeCharacters + Self.randomCharacters,
            bytes.starts(with: Self.prefix),
            bytes.dropFirst(Self.prefix.count).allSatisfy(Self.alphabet.contains)
        else { return nil }
        description = String(text)
    }

    init(milliseconds: UInt64) {
        var text = Self.prefix
        text.reserveCapacity(40)
        for place in (0..<Self.timeCharacters).reversed() {
            text.append(Self.alphabet[Int((milliseconds >> UInt64(place * 5)) & 31)])
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2 {
            var bits = generator.next()
            for _ in 0..<12 {
                text.append(Self.alphabet[Int(bits & 31)])
                bits >>= 5
            }
        }
        var bits = generator.next()
        for _ in 0..<2 {
            text.append(Self.alphabet[Int(bits & 31)])
            bits >>= 5
        }
        description = String(decoding: text, as: UTF8.self)
    }

    /// Orders identifiers by the time of submission.
    public static func < (left: JobID, right: JobID) -> Bool { left.description < right.description }
}
