import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The records in which frames travel on an attached stream.
///
/// Whoever attaches sees a stream that others wrote to before, cut anywhere. So a record names its session, and its ends
/// can be told from its content: the byte `0xFE` is followed by 0 where it stands for itself, by 1 at the beginning of a
/// record, by 2 at its end, by 3 at the beginning of a record that opens a session. After a beginning come the 16 letters
/// of the session, then one frame, or none in a record that only says that the host is there.
package enum AttachRecord {
    /// The letters of a session's name.
    package static let sessionBytes = 16
    /// The largest content of a record.
    static let limitBytes = sessionBytes + Frame.prefixBytes + Frame.headerLimitBytes + Frame.bodyLimitBytes

    static let escape: UInt8 = 0xFE
    static let literal: UInt8 = 0
    static let beginFrame: UInt8 = 1
    static let end: UInt8 = 2
    static let beginSession: UInt8 = 3

    /// Draws the name of a new session.
    package static func makeSession() -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return (0..<sessionBytes).map { _ in digits[Int.random(in: 0..<16)] }
    }

    /// The record that opens a session.
    package static func opening(_ session: [UInt8]) -> [UInt8] { [escape, beginSession] + session + [escape, end] }

    /// The record that only says that the host is there.
    package static func sign(of session: [UInt8]) -> [UInt8] { [escape, beginFrame] + session + [escape, end] }

    /// Every frame of `frames` as a record of its own.
    package static func records(of frames: ByteBuffer, session: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(frames.readableBytes + frames.readableBytes / 64 + 64)
        frames.withUnsafeReadableBytes { bytes in
            var start = 0
            while start + Frame.prefixBytes <= bytes.count {
                let header = Int(bytes.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self).bigEndian)
                let body = Int(bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt32.self).bigEndian)
                let next = min(bytes.count, start + Frame.prefixBytes + header + body)
                output += [escape, beginFrame]
                output += session
                append(UnsafeRawBufferPointer(rebasing: bytes[start..<next]), to: &output)
                output += [escape, end]
                start = next
            }
        }
        return output
    }

    private static func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        var rest = bytes[...]
        while let found = nextEscape(in: rest) {
            output.append(contentsOf: rest[...found])
            output.append(literal)
            rest = rest[(found + 1)...]
        }
        output.append(contentsOf: rest)
    }

    /// Where the first escape byte of a part of a buffer is.
    static func nextEscape(in bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard let base = bytes.base.baseAddress, !bytes.isEmpty,
            let found = memchr(base + bytes.startIndex, Int32(escape), bytes.count)
        else { return nil }
        return base.distance(to: UnsafeRawPointer(found))
    }
}

/// Takes the records of one session out of a stream, however it is cut.
package struct AttachRecordReader {
    private enum Position {
        /// Between records, or in what is none of ours.
        case outside
        case inside
    }

    private let session: [UInt8]
    private var position = Position.outside
    private var isAfterEscape = false
    private var content = ByteBuffer()
    /// Whether a record of the session has come: from then on the stream is ours alone.
    private var isOurs = false

    package init(session: [UInt8]) { self.session = session }

    /// Takes bytes and hands on the frame bytes of each whole record of the session.
    package mutating func feed(
        _ bytes: [UInt8], _ emit: (ByteBuffer) throws -> Void
    ) throws {
        try bytes.withUnsafeBytes { whole in
            var rest = whole[...]
            while let first = rest.first {
                if isAfterEscape {
                    isAfterEscape = false
                    rest = rest.dropFirst()
                    try mark(first, emit)
                    continue
                }
                guard let found = AttachRecord.nextEscape(in: rest) else {
                    try append(rest)
                    return
                }
                try append(rest[..<found])
                isAfterEscape = true
                rest = rest[(found + 1)...]
            }
        }
    }

    private mutating func append(_ bytes: Slice<UnsafeRawBufferPointer>) throws {
        guard case .inside = position, !bytes.isEmpty else { return }
        guard content.readableBytes + bytes.count <= AttachRecord.limitBytes else {
            try broken("a record is too long")
            return
        }
        content.writeBytes(bytes)
    }

    private mutating func mark(_ byte: UInt8, _ emit: (ByteBuffer) throws -> Void) throws {
        switch (byte, position) {
        case (AttachRecord.literal, .inside): content.writeInteger(AttachRecord.escape)
        case (AttachRecord.literal, .outside), (AttachRecord.end, .outside): break
        case (AttachRecord.beginFrame, .outside): begin()
        case (AttachRecord.end, .inside):
            position = .outside
            guard let named = content.readBytes(length: AttachRecord.sessionBytes), named == session else { return }
            isOurs = true
            try emit(content)
        case (AttachRecord.beginFrame, .inside):
            try broken("a record is cut short")
            begin()
        case (AttachRecord.escape, _):
            // The first of them ended what somebody else had begun.
            try broken("a record is cut short")
            isAfterEscape = true
        default: try broken("a record holds bytes that are not escaped")
        }
    }

    private mutating func begin() {
        position = .inside
        content = ByteBuffer()
    }

    private mutating func broken(_ reason: String) throws {
        position = .outside
        if isOurs { throw Frame.Violation.header(reason) }
    }
}
