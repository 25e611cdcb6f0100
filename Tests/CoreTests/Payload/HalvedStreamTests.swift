import Foundation
import SlipwayCore
import TestSupport
import Testing

@Suite("zlib streams made in halves")
struct HalvedStreamTests {
    private static let size = 5_000_001

    /// A stream as the runner makes it, cut in the middle, with a first half that ends with `flush`.
    private static func stream(of plain: [UInt8], level: Int = 1, flush: String = "Z_FULL_FLUSH") throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let (source, target) = (folder.path + "/plain", folder.path + "/zlib")
        try Data(plain).write(to: URL(fileURLWithPath: source))
        try ChildProcess.python(
            """
            import sys, zlib
            data = open(sys.argv[1], "rb").read()
            level, flush = int(sys.argv[3]), getattr(zlib, sys.argv[4])
            def half(part, flush):
                packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
                return packer.compress(part) + packer.flush(flush)
            middle = len(data) // 2
            made = b"\\x78\\x01" + half(data[:middle], flush) + half(data[middle:], zlib.Z_FINISH)
            made += zlib.adler32(data).to_bytes(4, "big")
            if flush != zlib.Z_FINISH:
                assert zlib.decompress(made) == data
            open(sys.argv[2], "wb").write(made)
            """, source, target, "\(level)", flush)
        return try Array(Data(contentsOf: URL(fileURLWithPath: target)))
    }

    private static func inflated(_ zlib: [UInt8], expected: Int = size, limit: Int = 1 << 24) throws -> [UInt8] {
        try PayloadCodec.inflated(zlib: zlib, limit: limit, expected: expected)
    }

    @Test("they come out whole, whatever was said of their size", arguments: [0, 1, size - 1, size, size + 1, 1 << 30])
    func whole(expected: Int) throws {
        let plain = PayloadSamples.prose(Self.size)
        let zlib = try Self.stream(of: plain)
        #expect(try Self.inflated(zlib, expected: expected) == plain)
        if expected < 1 << 24 {
            #expect(HalvedStream.inflated(zlib: zlib, size: expected) == (expected == Self.size ? plain : nil))
        }
    }

    @Test("they come out whole where other bytes look like the middle")
    func otherMarks() throws {
        // Stored blocks hold what was packed as it was, so the mark stands everywhere.
        let plain = [UInt8](repeating: 0, count: Self.size).indices.map { UInt8($0 & 2 == 0 ? 0 : 0xff) }
        #expect(try Self.inflated(Self.stream(of: plain, level: 0)) == plain)
    }

    @Test("one that is altered, cut or longer is refused as any other")
    func altered() throws {
        let zlib = try Self.stream(of: PayloadSamples.prose(Self.size))
        for place in [0, 1, 100, zlib.count / 2 + 100, zlib.count - 1] {
            var other = zlib
            other[place] ^= 0x55
            let code = faultCode { _ = try Self.inflated(other) }
            #expect(code == "bad-zlib" || code == "truncated", "byte \(place)")
        }
        #expect(faultCode { _ = try Self.inflated(Array(zlib.dropLast())) } == "truncated")
        #expect(faultCode { _ = try Self.inflated(zlib + [0]) } == "trailing-data")
        #expect(faultCode { _ = try Self.inflated(zlib, limit: Self.size - 1) } == "payload-too-large")
    }

    @Test("two streams in one are not taken for halves")
    func ended() throws {
        let zlib = try Self.stream(of: PayloadSamples.prose(Self.size), flush: "Z_FINISH")
        #expect(faultCode { _ = try Self.inflated(zlib) } != nil)
    }
}
