/// Packs and unpacks payloads: zlib (RFC 1950), then base64 (RFC 4648).
///
/// What comes from outside is never trusted: unpacking is strict about both formats, and its memory grows with what has
/// really come out, up to the caller's limit.
package enum PayloadCodec {
    private static let smallBytes = 8 * 1024
    private static let probeAboveBytes = 1024 * 1024
    private static let probeBytes = 64 * 1024
    /// A multiple of three, so that chunks encode without padding between them.
    private static let chunkBytes = 192 * 1024
    /// Beyond this, unpacking counts first and keeps on a second pass: a bomb must not take memory up to the limit.
    private static let keepAtOnceBytes = 16 * 1024 * 1024

    /// Compresses and encodes bytes of ours.
    ///
    /// Level 1, but level 0 for more than 1 MiB whose first 64 KiB saves less than a tenth: deflating noise is slow.
    package static func pack(_ plain: [UInt8]) throws -> PackedPayload {
        var text: [UInt8] = []
        try pack(plain) { piece, bound in
            if text.isEmpty { text.reserveCapacity(bound) }
            text.append(contentsOf: piece)
        }
        return PackedPayload(text: text, plainSize: plain.count)
    }

    /// Takes the next piece of a text, and about how long the whole text becomes.
    typealias TextSink = (_ piece: UnsafeRawBufferPointer, _ bound: Int) throws -> Void

    /// Compresses and encodes bytes of ours, piece by piece.
    static func pack(_ plain: [UInt8], sink: TextSink) throws {
        let shape = try shape(for: plain)
        try Deflater.with(shape) { deflater in
            let most = deflater.bound(plain.count)
            let bound = Base64.encodedSize(shape == .stored || plain.count <= chunkBytes ? most : plain.count / 4)
            let chunk = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: min(most, chunkBytes))
            defer { chunk.deallocate() }
            try plain.withUnsafeBufferPointer { plain in
                try deflater.run(plain, chunk: chunk) { try encode($0) { try sink($0, bound) } }
            }
        }
    }

    /// Encodes bytes as base64 with padding, on one line, piece by piece.
    static func encodeBase64(_ bytes: [UInt8], sink: TextSink) throws {
        let bound = Base64.encodedSize(bytes.count)
        try bytes.withUnsafeBufferPointer { bytes in
            for start in stride(from: 0, to: bytes.count, by: chunkBytes) {
                let piece = bytes[start..<min(start + chunkBytes, bytes.count)]
                try encode(UnsafeBufferPointer(rebasing: piece)) { try sink($0, bound) }
            }
        }
    }

    /// Checks a text from outside and names its inflated size and checksum.
    ///
    /// - Throws: `EngineError` as `unpack` does.
    package static func admit(text: [UInt8], inflatedLimit: Int, encodedLimit: Int) throws -> PackedPayload {
        try checkEncoded(text, limit: encodedLimit)
        return PackedPayload(text: text, plainSize: try inflatedSize(text: text, limit: inflatedLimit))
    }

    /// Decodes and inflates a text.
    ///
    /// - Throws: `EngineError` with code `invalidRequest` and one fault, `bad-base64`, `bad-zlib`, `truncated` or
    ///   `trailing-data`; or `payloadTooLarge`.
    package static func unpack(text: [UInt8], inflatedLimit: Int, encodedLimit: Int) throws -> [UInt8] {
        try checkEncoded(text, limit: encodedLimit)
        var plain: [UInt8] = []
        var reader = try PackedReader(encodedSize: text.count, limitBytes: inflatedLimit)
        var keeping = true
        try reader.feed(all: text) { piece in
            if keeping, plain.count + piece.count > keepAtOnceBytes {
                keeping = false
                plain = []
            }
            if keeping { plain.append(contentsOf: piece) }
        }
        guard !keeping else { return plain }
        plain.reserveCapacity(reader.total)
        var second = try PackedReader(encodedSize: text.count, limitBytes: inflatedLimit)
        try second.feed(all: text) { plain.append(contentsOf: $0) }
        return plain
    }

    /// The size of a text when inflated, found by inflating it without keeping the output.
    ///
    /// - Throws: `EngineError` as `unpack` does.
    package static func inflatedSize(text: [UInt8], limit: Int) throws -> Int {
        var reader = try PackedReader(encodedSize: text.count, limitBytes: limit)
        try reader.feed(all: text) { _ in }
        return reader.total
    }

    /// Inflates one zlib stream and returns its size; the output comes in pieces of at most 64 KiB.
    package static func inflate(
        zlib: [UInt8], limit: Int, sink: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) throws -> Int {
        var inflater = try Inflater(limitBytes: limit, chunkBytes: min(64 * 1024, zlib.count * 4))
        try zlib.withUnsafeBufferPointer { zlib in
            var offset = 0
            while offset < zlib.count {
                let end = min(offset + chunkBytes, zlib.count)
                try inflater.feed(UnsafeBufferPointer(rebasing: zlib[offset..<end]), sink: sink)
                offset = end
            }
        }
        try inflater.finish()
        return inflater.total
    }

    /// Encodes bytes as base64 with padding, on one line.
    package static func encodeBase64(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Base64.encodedSize(bytes.count)) { text, count in
            count = bytes.withUnsafeBufferPointer { Base64.encode($0, into: text) }
        }
    }

    /// Decodes base64: padded, without line breaks.
    ///
    /// - Throws: `EngineError` with code `invalidRequest` and the fault `bad-base64`.
    package static func decodeBase64(_ text: [UInt8]) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { bytes, count in
            count = try text.withUnsafeBufferPointer { try Base64.decode($0, isLast: true, into: bytes) }
        }
    }

    /// The size that level 1 makes of some bytes.
    static func deflatedSize(_ bytes: [UInt8]) throws -> Int {
        let chunk = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: probeBytes)
        defer { chunk.deallocate() }
        var size = 0
        try Deflater.with(.fast) { deflater in
            try bytes.withUnsafeBufferPointer { bytes in
                try deflater.run(bytes, chunk: chunk) { size += $0.count }
            }
        }
        return size
    }

    private static func shape(for plain: [UInt8]) throws -> Deflater.Shape {
        if plain.count <= smallBytes { return .small }
        guard plain.count > probeAboveBytes else { return .fast }
        return try deflatedSize(Array(plain[..<probeBytes])) * 10 > probeBytes * 9 ? .stored : .fast
    }

    /// Appends the encoding of bytes; with padding where their count is no multiple of three.
    static func appendBase64(_ bytes: [UInt8], to text: inout [UInt8]) {
        bytes.withUnsafeBufferPointer { append($0, to: &text) }
    }

    /// Appends the encoding of bytes; with padding where their count is no multiple of three.
    static func appendBase64(_ bytes: UnsafeBufferPointer<UInt8>, to text: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        append(bytes, to: &text)
    }

    private static func append(_ bytes: UnsafeBufferPointer<UInt8>, to text: inout [UInt8]) {
        encode(bytes) { text.append(contentsOf: $0) }
    }

    private static func encode(
        _ bytes: UnsafeBufferPointer<UInt8>, sink: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Base64.encodedSize(bytes.count)) { scratch in
            let written = Base64.encode(bytes, into: scratch)
            try sink(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: scratch[..<written])))
        }
    }

    private static func checkEncoded(_ text: [UInt8], limit: Int) throws {
        guard text.count <= limit else { throw PayloadFault.tooLarge("as it is sent", limitBytes: limit) }
    }
}

extension PayloadCodec {
    /// Inflates one zlib stream into memory, up to a limit.
    ///
    /// - Parameter expected: How many bytes are said to come out, for which room is made; more or fewer may.
    package static func inflated(zlib: [UInt8], limit: Int, expected: Int = 0) throws -> [UInt8] {
        if expected <= limit, let bytes = HalvedStream.inflated(zlib: zlib, size: expected) { return bytes }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(max(zlib.count, expected), limit))
        _ = try inflate(zlib: zlib, limit: limit) { bytes.append(contentsOf: $0) }
        return bytes
    }
}
