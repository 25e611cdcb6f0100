import Crypto
import HTTPTypes
import SlipwayCore

/// The header `Idempotency-Key`.
enum IdempotencyHeader {
    /// The key of a request with the hash of method, path and body; nil without the header.
    ///
    /// - Throws: ``Problem`` 400 for two headers, a key that is neither 1 to 255 visible ASCII characters nor such a
    ///   string in quotes, as structured fields (RFC 9651) write it.
    static func key(
        _ headers: HTTPFields, method: String, path: String, body: [UInt8]
    ) throws(Problem) -> IdempotencyKey? {
        let values = headers[values: .idempotencyKey]
        guard let value = values.first else { return nil }
        guard values.count == 1, let text = unquoted(value) else { throw refusal }
        var hash = SHA256()
        hash.update(data: Array("\(method)\n\(path)\n".utf8))
        hash.update(data: body)
        guard let key = IdempotencyKey(text, requestHash: Array(hash.finalize())) else { throw refusal }
        return key
    }

    private static var refusal: Problem {
        .badRequest("Idempotency-Key must be 1 to 255 visible ASCII characters, or such a string in double quotes.")
    }

    private static func unquoted(_ value: String) -> String? {
        guard value.hasPrefix("\"") else {
            return value.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") } ? value : nil
        }
        guard value.utf8.count >= 2, value.hasSuffix("\"") else { return nil }
        var bytes: [UInt8] = []
        var rest = value.utf8.dropFirst().dropLast()
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\")
                else { return nil }
                bytes.append(escaped)
            case UInt8(ascii: "\""): return nil
            case 0x20...0x7E: bytes.append(byte)
            default: return nil
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
