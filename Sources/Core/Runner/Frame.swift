import NIOCore

/// One frame of the channel between the host and a supervisor.
///
/// Shape on the wire: version (1 byte), type (1 byte), two zero bytes, header length and body length (4 bytes each,
/// big-endian), then the header, a JSON object, then the body. `docs/runner.md` describes every type.
package struct Frame: Sendable {
    /// What a frame says; values below 0x80 go to the supervisor, the others come from it.
    package enum Kind: UInt8, Sendable, CaseIterable {
        case welcome = 1
        case configure = 2
        case start = 3
        case input = 4
        case cancel = 5
        case acknowledge = 6
        case shutdown = 7
        /// Reserved for calls to actors; a violation today.
        case call = 8
        case hello = 0x81
        case ready = 0x82
        case log = 0x84
        case event = 0x85
        case resultPart = 0x86
        case result = 0x87
        case clean = 0x88
        case heartbeat = 0x89
        case fault = 0x8A
        case output = 0x8B
        case outputs = 0x8C

        /// Whether the supervisor sends frames of this kind.
        package var isFromSupervisor: Bool { rawValue >= 0x80 }

        /// The most bytes that a body of this kind has: 0 where there is none.
        package var bodyLimitBytes: Int {
            switch self {
            case .start, .input, .resultPart, .result, .output: Frame.bodyLimitBytes
            case .log, .event: Frame.pieceLimitBytes
            case .welcome, .configure, .cancel, .acknowledge, .shutdown, .call, .hello, .ready, .clean, .heartbeat,
                .fault, .outputs:
                0
            }
        }
    }

    /// What the bytes of a frame did wrong.
    package enum Violation: Error, Equatable, CustomStringConvertible {
        case version(UInt8)
        case kind(UInt8)
        case reserved(UInt16)
        case headerLength(UInt32)
        case bodyLength(UInt32)
        case header(String)

        package var description: String {
            switch self {
            case .version(let value): "frame version \(value) instead of \(Frame.version)"
            case .kind(let value): "unknown frame type \(value)"
            case .reserved(let value): "reserved bytes are \(value) instead of 0"
            case .headerLength(let value): "frame header of \(value) bytes"
            case .bodyLength(let value): "frame body of \(value) bytes"
            case .header(let reason): "frame header: \(reason)"
            }
        }
    }

    /// The version of the protocol, in the first byte of every frame.
    package static let version: UInt8 = 1
    /// Bytes before the header.
    package static let prefixBytes = 12
    /// The largest header in bytes.
    package static let headerLimitBytes = 65_536
    /// The largest body in bytes; longer inputs and results travel in several frames.
    package static let bodyLimitBytes = 1_048_576
    /// The most bytes of an input in one frame: as many as the supervisor hands on at once, and never has to cut up.
    package static let inputPieceBytes = 131_072
    /// The most bytes of output, or of an event, in one frame.
    package static let pieceLimitBytes = 65_536

    /// What the frame says.
    package var kind: Kind
    /// A JSON object.
    package var header: ByteBuffer
    /// Raw bytes.
    package var body: ByteBuffer

    package init(kind: Kind, header: ByteBuffer, body: ByteBuffer = ByteBuffer()) {
        self.kind = kind
        self.header = header
        self.body = body
    }

    /// Takes one whole frame off the front of `buffer`; nil when more bytes are needed.
    package static func read(from buffer: inout ByteBuffer) throws(Violation) -> Frame? {
        let start = buffer.readerIndex
        guard buffer.readableBytes >= prefixBytes,
            let version = buffer.getInteger(at: start, as: UInt8.self),
            let rawKind = buffer.getInteger(at: start + 1, as: UInt8.self),
            let reserved = buffer.getInteger(at: start + 2, as: UInt16.self),
            let headerLength = buffer.getInteger(at: start + 4, as: UInt32.self),
            let bodyLength = buffer.getInteger(at: start + 8, as: UInt32.self)
        else { return nil }
        guard version == Self.version else { throw .version(version) }
        guard let kind = Kind(rawValue: rawKind) else { throw .kind(rawKind) }
        guard reserved == 0 else { throw .reserved(reserved) }
        guard (2...UInt32(headerLimitBytes)).contains(headerLength) else { throw .headerLength(headerLength) }
        guard bodyLength <= UInt32(kind.bodyLimitBytes) else { throw .bodyLength(bodyLength) }
        guard buffer.readableBytes >= prefixBytes + Int(headerLength) + Int(bodyLength) else { return nil }
        buffer.moveReaderIndex(forwardBy: prefixBytes)
        guard let header = buffer.readSlice(length: Int(headerLength)),
            let body = buffer.readSlice(length: Int(bodyLength))
        else { return nil }
        return Frame(kind: kind, header: header, body: body)
    }

    /// Appends the frame's bytes to `buffer`.
    ///
    /// - Returns: False when the header is longer than the other side takes; then nothing is written.
    @discardableResult
    package static func write(
        _ kind: Kind, header: [UInt8], body: some Collection<UInt8> & Sendable = EmptyCollection<UInt8>(),
        into buffer: inout ByteBuffer
    ) -> Bool {
        guard header.count <= headerLimitBytes else { return false }
        buffer.reserveCapacity(minimumWritableBytes: prefixBytes + header.count + body.count)
        buffer.writeInteger(version)
        buffer.writeInteger(kind.rawValue)
        buffer.writeInteger(UInt16(0))
        buffer.writeInteger(UInt32(header.count))
        buffer.writeInteger(UInt32(body.count))
        buffer.writeBytes(header)
        buffer.writeBytes(body)
        return true
    }
}
