/// Decodes and inflates a packed payload slice by slice, so that neither form is held whole.
struct PackedReader: ~Copyable {
    /// Characters that one slice may have; a multiple of four.
    static let sliceBytes = 64 * 1024

    private var inflater: Inflater
    private let decoded: UnsafeMutableBufferPointer<UInt8>

    /// How many bytes have come out.
    var total: Int { inflater.total }

    /// Starts reading a text of `encodedSize` characters that may inflate to `limitBytes`.
    init(encodedSize: Int, limitBytes: Int) throws {
        let slice = min(encodedSize, Self.sliceBytes)
        inflater = try Inflater(limitBytes: limitBytes, chunkBytes: min(64 * 1024, slice * 4))
        decoded = .allocate(capacity: slice / 4 * 3 + 3)
    }

    deinit { decoded.deallocate() }

    /// Takes the next slice of at most `sliceBytes` characters, a multiple of four but for a faulty text's end.
    mutating func feed(
        _ slice: UnsafeBufferPointer<UInt8>, isLast: Bool, sink: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) throws {
        let count = try Base64.decode(slice, isLast: isLast, into: decoded)
        try inflater.feed(UnsafeBufferPointer(rebasing: decoded[..<count]), sink: sink)
    }

    /// Takes a whole text and checks that it ends where its stream ends.
    mutating func feed(all text: [UInt8], sink: (UnsafeBufferPointer<UInt8>) throws -> Void) throws {
        try text.withUnsafeBufferPointer { text in
            var offset = 0
            while offset < text.count {
                let end = min(offset + Self.sliceBytes, text.count)
                try feed(UnsafeBufferPointer(rebasing: text[offset..<end]), isLast: end == text.count, sink: sink)
                offset = end
            }
        }
        try finish()
    }

    /// Checks that the stream has come to its end.
    func finish() throws { try inflater.finish() }
}
