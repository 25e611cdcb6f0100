/// A file that a task left in `$SLIPWAY_OUTPUT`.
public struct JobArtifact: Sendable, Hashable {
    /// Its path below the task's output folder, with `/` between the parts.
    public let name: String
    /// Its size in bytes.
    public let sizeBytes: Int
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    public let sha256: String
    /// A guess at what it is, from the ending of its name.
    public let mediaType: String

    package init(name: String, sizeBytes: Int, sha256: String, mediaType: String) {
        self.name = name
        self.sizeBytes = sizeBytes
        self.sha256 = sha256
        self.mediaType = mediaType
    }

    init(_ stored: StoredOutput) {
        self.init(
            name: stored.name, sizeBytes: stored.size, sha256: Self.hexadecimal(stored.sha256),
            mediaType: MediaType.guess(fileName: stored.name))
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
