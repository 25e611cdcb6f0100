import HTTPTypes
import Hummingbird
import NIOCore

/// The connection failed while a body was read; the server closes it.
struct BodyFailure: Error {
    let underlying: any Error
}

extension Request {
    /// Up to this size a body is read without asking for room: connections are limited in number.
    static let smallBodyBytes = 64 << 10

    /// Checks the headers that say what a body is, and reads it up to the limit.
    ///
    /// - Parameter room: Asked once, with the bytes that may come, before more of a body than a small one is read; gives
    ///   what watches over the rate of the rest, which is ended here.
    /// - Throws: ``Problem`` 415 for anything but plain JSON, 413 as soon as the limit is passed, and what `room` throws;
    ///   ``BodyFailure``.
    func jsonBody(limitBytes: Int, room: (_ bytes: Int) async throws -> RateWatch?) async throws -> [UInt8] {
        try requireJSON()
        let announced = headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > limitBytes { throw Problem.bodyTooLarge(limitBytes) }
        var hasRoom = false
        var watch: RateWatch?
        defer { watch?.end() }
        if let announced, announced > Self.smallBodyBytes {
            watch = try await room(announced)
            hasRoom = true
        }
        var bytes: [UInt8] = []
        // What is announced need not come, so only a modest part of it is reserved ahead.
        bytes.reserveCapacity(min(announced ?? 0, 1 << 20))
        var iterator = body.makeAsyncIterator()
        while true {
            let part: ByteBuffer?
            do {
                part = try await iterator.next()
            } catch {
                throw BodyFailure(underlying: error)
            }
            guard let part else { return bytes }
            guard bytes.count + part.readableBytes <= limitBytes else { throw Problem.bodyTooLarge(limitBytes) }
            bytes.append(contentsOf: part.readableBytesView)
            watch?.moved(part.readableBytes)
            // Without a length the body may become as large as any.
            if !hasRoom, bytes.count > Self.smallBodyBytes {
                watch = try await room(limitBytes)
                watch?.moved(bytes.count)
                hasRoom = true
            }
        }
    }

    private func requireJSON() throws(Problem) {
        let encoding = headers[.contentEncoding]
        guard encoding == nil || encoding?.lowercased() == "identity" else {
            throw Problem(
                .unsupportedMediaType, "unsupported-encoding", "The body must come without a content encoding.")
        }
        let parts = (headers[.contentType] ?? "").lowercased().split(separator: ";").map(trimmed)
        let charset = parts.dropFirst().first { $0.hasPrefix("charset=") }
        guard parts.first == "application/json",
            charset == nil || ["charset=utf-8", "charset=\"utf-8\""].contains(charset)
        else {
            throw Problem(
                .unsupportedMediaType, "unsupported-media-type",
                "The body must be JSON in UTF-8, with Content-Type: application/json.")
        }
    }
}

/// A text without spaces and tabs around it.
func trimmed(_ text: Substring) -> String {
    let isSpace = { (character: Character) in character == " " || character == "\t" }
    let start = text.drop(while: isSpace)
    guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
    return String(start[...last])
}
