import CShimZlib

/// One zlib stream being inflated, in pieces, up to an absolute number of bytes.
struct Inflater: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>
    private let limitBytes: Int
    private let chunk: UnsafeMutableBufferPointer<UInt8>
    private var ended = false
    /// How many bytes have come out.
    private(set) var total = 0

    /// Starts a stream that may inflate to `limitBytes`; `chunkBytes` is handed out at most at a time.
    init(limitBytes: Int, chunkBytes: Int) throws {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        chunk = .allocate(capacity: max(chunkBytes, 256))
        self.limitBytes = limitBytes
        guard slipway_inflate_init(stream) == Z_OK else {
            stream.deallocate()
            chunk.deallocate()
            throw EngineError(.internalFault, "There is no memory to inflate a payload.")
        }
    }

    deinit {
        // The code only says whether a deflater had pending output; there is nothing to do about it here.
        _ = inflateEnd(stream)
        stream.deallocate()
        chunk.deallocate()
    }

    /// Inflates the next piece of input; `sink` gets the output in pieces that are valid during the call only.
    mutating func feed(_ input: UnsafeBufferPointer<UInt8>, sink: (UnsafeBufferPointer<UInt8>) throws -> Void) throws {
        guard !input.isEmpty else { return }
        guard !ended else { throw PayloadFault.trailingData.error }
        // zlib never writes through next_in: its type lacks the const for historical reasons.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        repeat {
            stream.pointee.next_out = chunk.baseAddress
            stream.pointee.avail_out = UInt32(chunk.count)
            let code = inflate(stream, Z_NO_FLUSH)
            let produced = chunk.count - Int(stream.pointee.avail_out)
            total += produced
            guard total <= limitBytes else { throw PayloadFault.tooLarge("when inflated", limitBytes: limitBytes) }
            if produced > 0 { try sink(UnsafeBufferPointer(rebasing: chunk[..<produced])) }
            switch code {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END: ended = true
            case Z_MEM_ERROR: throw EngineError(.internalFault, "There is no memory to inflate a payload.")
            default: throw PayloadFault.badZlib.error
            }
        } while !ended && (stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0)
        if stream.pointee.avail_in > 0 { throw PayloadFault.trailingData.error }
    }

    /// Checks that the stream has come to its end.
    func finish() throws {
        guard ended else { throw PayloadFault.truncated.error }
    }
}

/// The zlib that is linked.
package enum ZlibLibrary {
    /// Its version, such as `1.2.13`.
    package static var version: String { String(cString: zlibVersion()) }
}
