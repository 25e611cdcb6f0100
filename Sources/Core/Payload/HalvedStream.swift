import CShimZlib
import Dispatch
import Synchronization

/// A zlib stream whose halves were made apart, as the runner makes large results, and are inflated side by side.
///
/// The first half ends with a full flush (RFC 1951, an empty stored block: `00 00 ff ff` at a byte's edge) in the middle
/// of what comes out, and the second refers to nothing before it. A stream that only looks so is told by its checksum,
/// by a half that ends elsewhere, or by a reference too far back.
package enum HalvedStream {
    /// Below so many bytes of output two threads gain nothing.
    private static let leastBytes = 2 << 20
    private static let markBytes = 4
    private static let headBytes = 2
    private static let tailBytes = 4

    /// Returns what comes out of a stream, or nil where it is not made in halves of `size` bytes together.
    package static func inflated(zlib: [UInt8], size: Int) -> [UInt8]? {
        guard size >= leastBytes, zlib.count > headBytes + tailBytes, hasPlainHead(zlib),
            let cut = cut(in: zlib)
        else { return nil }
        let middle = size / 2
        let plain = [UInt8](unsafeUninitializedCapacity: size) { plain, count in
            let first = Half(input: headBytes..<cut, output: 0..<middle, isLast: false)
            let second = Half(input: cut..<zlib.count - tailBytes, output: middle..<size, isLast: true)
            let sums = Mutex<[UInt?]>([nil, nil])
            zlib.withUnsafeBufferPointer { zlib in
                // Unchecked, because these are pointers: both threads are done before they go, and each half is
                // written by one of them.
                nonisolated(unsafe) let (source, target) = (zlib, plain)
                DispatchQueue.concurrentPerform(iterations: 2) { place in
                    let sum = (place == 0 ? first : second).inflate(source, into: target)
                    sums.withLock { $0[place] = sum }
                }
            }
            let made = sums.withLock { $0 }
            guard let one = made[0], let other = made[1],
                adler32_combine(one, other, size - middle) == storedSum(zlib)
            else { return }
            count = size
        }
        return plain.isEmpty ? nil : plain
    }

    /// One half of a stream.
    private struct Half {
        let input: Range<Int>
        let output: Range<Int>
        let isLast: Bool

        /// Returns the checksum of what came out, or nil where it is no half.
        func inflate(_ zlib: UnsafeBufferPointer<UInt8>, into plain: UnsafeMutableBufferPointer<UInt8>) -> UInt? {
            var stream = z_stream()
            guard slipway_raw_inflate_init(&stream) == Z_OK else { return nil }
            // The code only says whether something was pending.
            defer { _ = inflateEnd(&stream) }
            let place = plain.baseAddress.map { $0 + output.lowerBound }
            // zlib never writes through next_in: its type lacks the const for historical reasons.
            stream.next_in = UnsafeMutablePointer(mutating: zlib.baseAddress.map { $0 + input.lowerBound })
            stream.avail_in = UInt32(input.count)
            stream.next_out = place
            stream.avail_out = UInt32(output.count)
            let code = CShimZlib.inflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
            guard stream.avail_in == 0, stream.avail_out == 0 else { return nil }
            if isLast {
                guard code == Z_STREAM_END else { return nil }
            } else {
                // Between two blocks, with no bit of a byte left over (zlib.h, inflate and Z_BLOCK).
                guard code == Z_OK, stream.data_type & 128 != 0, stream.data_type & 31 == 0 else { return nil }
            }
            return adler32(adler32(0, nil, 0), place, UInt32(output.count))
        }
    }

    /// Whether a stream begins as RFC 1950 says, without a dictionary.
    private static func hasPlainHead(_ zlib: [UInt8]) -> Bool {
        zlib[0] & 0x0f == 8 && zlib[0] >> 4 <= 7 && (Int(zlib[0]) << 8 | Int(zlib[1])) % 31 == 0 && zlib[1] & 0x20 == 0
    }

    /// Where the mark ends that is next to the middle of the stream.
    private static func cut(in zlib: [UInt8]) -> Int? {
        let (first, last) = (headBytes, zlib.count - tailBytes - markBytes)
        return zlib.withUnsafeBufferPointer { zlib in
            var (before, after) = (zlib.count / 2, zlib.count / 2 + 1)
            while before >= first || after <= last {
                if before >= first, before <= last, isMark(zlib, before) { return before + markBytes }
                if after >= first, after <= last, isMark(zlib, after) { return after + markBytes }
                before -= 1
                after += 1
            }
            return nil
        }
    }

    private static func isMark(_ zlib: UnsafeBufferPointer<UInt8>, _ place: Int) -> Bool {
        zlib[place] == 0 && zlib[place + 1] == 0 && zlib[place + 2] == 0xff && zlib[place + 3] == 0xff
    }

    private static func storedSum(_ zlib: [UInt8]) -> UInt {
        zlib.suffix(tailBytes).reduce(0) { $0 << 8 | UInt($1) }
    }
}
