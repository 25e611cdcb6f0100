import Crypto

/// The bytes of an input, a result or a journal as they travel and rest: base64 of zlib.
package struct PackedPayload: Sendable, Equatable {
    /// Base64 (RFC 4648, padded, one line) of a zlib stream (RFC 1950).
    package let text: [UInt8]
    /// Size of the inflated bytes.
    package let plainSize: Int
    /// SHA-256 of `text`.
    package let digest: [UInt8]

    /// Names the text's size and checksum; `text` must be known to be valid.
    init(text: [UInt8], plainSize: Int) {
        self.text = text
        self.plainSize = plainSize
        digest = Array(SHA256.hash(data: text))
    }
}
