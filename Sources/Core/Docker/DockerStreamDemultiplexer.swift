/// Takes apart the stream in which Docker multiplexes a container's output, byte by byte if need be.
///
/// Format (Engine API, "Attach to a container"): an 8-byte header `[stream, 0, 0, 0, length as big-endian u32]`, then
/// that many bytes. Payload is passed on as it comes, so that nothing is buffered; a UTF-8 character may be split
/// between two pieces. Only for containers without a TTY, whose streams are raw.
package struct DockerStreamDemultiplexer: Sendable {
    /// Which of a container's streams a piece belongs to.
    package enum Stream: UInt8, Sendable {
        case standardInput = 0
        case standardOutput = 1
        case standardError = 2
    }

    /// What is wrong with a stream.
    package enum Malformed: Error, Sendable, Equatable {
        case unknownStream(UInt8)
        case reservedBytesSet
        case frameTooLong(Int)
        /// The stream ended inside a header or a frame.
        case truncated
    }

    private enum Position {
        case header(bytes: UInt64, count: Int)
        case payload(Stream, remaining: Int)
        case broken(Malformed)
    }

    private var position = Position.header(bytes: 0, count: 0)
    private let limitBytes: Int

    /// Makes a parser that refuses frames above `limitBytes`.
    package init(limitBytes: Int = 64 * 1024 * 1024) {
        self.limitBytes = limitBytes
    }

    /// Whether the stream may end here.
    package var isAtFrameBoundary: Bool {
        if case .header(_, count: 0) = position { true } else { false }
    }

    /// Parses the next bytes and hands on each piece of payload, never an empty one.
    ///
    /// - Throws: `Malformed`, from then on at every call; or what `emit` throws.
    package mutating func feed(
        _ bytes: [UInt8], _ emit: (Stream, ArraySlice<UInt8>) throws -> Void
    ) throws {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            switch position {
            case .broken(let reason): throw reason
            case .header(let value, let count):
                let (value, count) = (value << 8 | UInt64(bytes[index]), count + 1)
                index += 1
                position = count < 8 ? .header(bytes: value, count: count) : try finishHeader(value)
            case .payload(let stream, let remaining):
                let piece = bytes[index..<min(bytes.endIndex, index + remaining)]
                index = piece.endIndex
                let rest = remaining - piece.count
                position = rest == 0 ? .header(bytes: 0, count: 0) : .payload(stream, remaining: rest)
                try emit(stream, piece)
            }
        }
    }

    /// Checks that the stream ended between two frames.
    package func finish() throws {
        if case .broken(let reason) = position { throw reason }
        guard isAtFrameBoundary else { throw Malformed.truncated }
    }

    private mutating func finishHeader(_ value: UInt64) throws -> Position {
        let length = Int(value & 0xffff_ffff)
        guard let stream = Stream(rawValue: UInt8(value >> 56)) else {
            throw breaking(.unknownStream(UInt8(value >> 56)))
        }
        guard value >> 32 & 0xff_ffff == 0 else { throw breaking(.reservedBytesSet) }
        guard length <= limitBytes else { throw breaking(.frameTooLong(length)) }
        return length == 0 ? .header(bytes: 0, count: 0) : .payload(stream, remaining: length)
    }

    private mutating func breaking(_ reason: Malformed) -> Malformed {
        position = .broken(reason)
        return reason
    }
}
