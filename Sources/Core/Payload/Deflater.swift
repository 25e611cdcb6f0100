import CShimZlib
import Synchronization

/// A deflate state, reset and used again: setting one up costs more than packing a small payload.
///
/// Unchecked, because the stream is a pointer: a caller takes an instance out of the shared shelf under its lock and
/// is its only user until it puts it back.
final class Deflater: @unchecked Sendable {
    /// How a payload is deflated.
    enum Shape: Int, CaseIterable {
        /// Level 1 with small tables, for inputs of at most 8 KiB: resetting them costs little.
        case small
        /// Level 1.
        case fast
        /// Level 0: zlib framing and checksum only.
        case stored

        fileprivate var parameters: (level: Int32, windowBits: Int32, memoryLevel: Int32) {
            switch self {
            case .small: (1, 13, 5)
            case .fast: (1, 15, 8)
            case .stored: (0, 15, 8)
            }
        }
    }

    private let shape: Shape
    private let stream: UnsafeMutablePointer<z_stream>
    private static let shelf = Mutex<[[Deflater]]>(Shape.allCases.map { _ in [] })
    private static let shelfSize = 4

    private init(_ shape: Shape) throws {
        self.shape = shape
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let (level, windowBits, memoryLevel) = shape.parameters
        guard slipway_deflate_init(stream, level, windowBits, memoryLevel) == Z_OK else {
            stream.deallocate()
            throw EngineError(.internalFault, "There is no memory to compress a payload.")
        }
    }

    deinit {
        // The code only says that output was pending, which an error on the way may leave.
        _ = deflateEnd(stream)
        stream.deallocate()
    }

    /// Runs `body` with a fresh state of this shape.
    static func with<T>(_ shape: Shape, _ body: (Deflater) throws -> T) throws -> T {
        let deflater = try shelf.withLock { $0[shape.rawValue].popLast() } ?? Deflater(shape)
        let result = try body(deflater)
        // After an error the state is dropped instead.
        guard deflateReset(deflater.stream) == Z_OK else { return result }
        shelf.withLock { if $0[shape.rawValue].count < shelfSize { $0[shape.rawValue].append(deflater) } }
        return result
    }

    /// Takes a fresh state for a stream that is deflated piece by piece; `giveBack` returns it.
    static func lent(_ shape: Shape) throws -> Deflater {
        try shelf.withLock { $0[shape.rawValue].popLast() } ?? Deflater(shape)
    }

    /// Makes the state available again, whatever it was used for.
    func giveBack() {
        guard deflateReset(stream) == Z_OK else { return }
        Self.shelf.withLock { if $0[shape.rawValue].count < Self.shelfSize { $0[shape.rawValue].append(self) } }
    }

    /// Deflates the next piece of a stream; the last one ends it.
    func feed(
        _ input: UnsafeBufferPointer<UInt8>, isLast: Bool, chunk: UnsafeMutableBufferPointer<UInt8>,
        sink: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) throws {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        repeat {
            stream.pointee.next_out = chunk.baseAddress
            stream.pointee.avail_out = UInt32(chunk.count)
            let code = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
            guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
                throw EngineError(.internalFault, "zlib could not compress a payload (code \(code)).")
            }
            let produced = chunk.count - Int(stream.pointee.avail_out)
            if produced > 0 { try sink(UnsafeBufferPointer(rebasing: chunk[..<produced])) }
        } while stream.pointee.avail_out == 0
    }

    /// The largest size that `count` bytes can take.
    func bound(_ count: Int) -> Int { Int(deflateBound(stream, UInt(count))) }

    /// Deflates all of `input`; `sink` gets the output in pieces, all but the last of the size of `chunk`.
    func run(
        _ input: UnsafeBufferPointer<UInt8>, chunk: UnsafeMutableBufferPointer<UInt8>,
        sink: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) throws {
        guard input.count <= Int(UInt32.max) else { throw PayloadFault.tooLarge("", limitBytes: Int(UInt32.max)) }
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        var code: Int32
        repeat {
            stream.pointee.next_out = chunk.baseAddress
            stream.pointee.avail_out = UInt32(chunk.count)
            code = deflate(stream, Z_FINISH)
            guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
                throw EngineError(.internalFault, "zlib could not compress a payload (code \(code)).")
            }
            try sink(UnsafeBufferPointer(rebasing: chunk[..<(chunk.count - Int(stream.pointee.avail_out))]))
        } while code != Z_STREAM_END
    }
}
