/// A name that a caller gives to a submission, so that sending it again does not submit it again.
public struct IdempotencyKey: Sendable, Equatable {
    /// The key: 1 to 255 printable ASCII characters.
    public let text: String
    /// A hash of the whole request; the same key with another hash is refused.
    public var requestHash: [UInt8]

    /// Makes a key; nil when the text has none of the allowed lengths or characters.
    public init?(_ text: String) { self.init(text, requestHash: []) }

    package init?(_ text: String, requestHash: [UInt8]) {
        guard (1...255).contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return nil
        }
        self.text = text
        self.requestHash = requestHash
    }
}
