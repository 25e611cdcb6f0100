import Foundation
import SlipwayCore
import Testing

@Suite("Payload codec", .serialized)
struct PayloadCodecTests {
    private static let mebibyte = 1024 * 1024

    private func unpack(_ text: [UInt8], limit: Int = 64 * mebibyte) throws -> [UInt8] {
        try PayloadCodec.unpack(text: text, inflatedLimit: limit, encodedLimit: 64 * Self.mebibyte)
    }

    @Test(
        "bytes of any size come back whole",
        arguments: [
            0, 1, 2, 3, 10, 1000, 8191, 8192, 8193, 12_000, 65_536, 130_000, 196_607, 196_608, 196_609, mebibyte,
            mebibyte + 1, 20_000_000,
        ])
    func roundTrips(_ count: Int) throws {
        for plain in [PayloadSamples.prose(count), PayloadSamples.noise(count)] {
            let packed = try PayloadCodec.pack(plain)
            #expect(packed.plainSize == count)
            #expect(packed.digest.count == 32)
            #expect(try unpack(packed.text) == plain)
            #expect(try PayloadCodec.inflatedSize(text: packed.text, limit: count) == count)
            let admitted = try PayloadCodec.admit(
                text: packed.text, inflatedLimit: count, encodedLimit: packed.text.count)
            #expect(admitted == packed)
        }
    }

    @Test("noise beyond 1 MiB is stored, everything else is deflated")
    func storedLevel() throws {
        let mebibyte = Self.mebibyte
        func level(_ plain: [UInt8]) throws -> UInt8 {
            // The kind of the first deflate block: bits 1 and 2 of the third byte; 0 is a stored block.
            try PayloadSamples.zlib(plain)[2] >> 1 & 3
        }
        #expect(try level(PayloadSamples.noise(2 * mebibyte)) == 0)
        #expect(try level(PayloadSamples.prose(2 * mebibyte)) != 0)
        let mixed = PayloadSamples.prose(65_536) + PayloadSamples.noise(2 * mebibyte)
        #expect(try level(mixed) != 0)
        #expect(try unpack(PayloadCodec.pack(mixed).text) == mixed)
        let packed = try PayloadCodec.pack(PayloadSamples.prose(2 * mebibyte))
        #expect(packed.text.count < mebibyte / 10)
    }

    @Test("a stream that Python made is read, with its checksum")
    func foreignStream() throws {
        // base64.b64encode(zlib.compress(b"slipway" * 3))
        let text = Array("eJwrzsksKE+sLEahAGQgCRw=".utf8)
        #expect(try unpack(text) == Array("slipwayslipwayslipway".utf8))
    }

    @Test("what is wrong with a text from outside is named")
    func badInput() throws {
        let good = try PayloadCodec.pack(PayloadSamples.prose(5000)).text
        let zlib = try PayloadCodec.decodeBase64(good)
        func encoded(_ bytes: [UInt8]) -> [UInt8] { PayloadCodec.encodeBase64(bytes) }
        var badChecksum = zlib
        badChecksum[badChecksum.count - 1] ^= 1
        var badHeader = zlib
        badHeader[0] ^= 0x08
        var dictionary = zlib
        dictionary[1] = 0x20 | dictionary[1]
        let cases: [(String, [UInt8], String)] = [
            ("empty", [], "truncated"),
            ("not base64", Array("!!!!".utf8), "bad-base64"),
            ("base64 of text", encoded(Array("hello, world".utf8)), "bad-zlib"),
            ("wrong method", encoded(badHeader), "bad-zlib"),
            ("preset dictionary", encoded(dictionary), "bad-zlib"),
            ("wrong checksum", encoded(badChecksum), "bad-zlib"),
            ("gzip", encoded([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]), "bad-zlib"),
            ("one byte short", encoded(Array(zlib.dropLast())), "truncated"),
            ("no checksum", encoded(Array(zlib.dropLast(4))), "truncated"),
            ("half", encoded(Array(zlib.prefix(zlib.count / 2))), "truncated"),
            ("header only", encoded(Array(zlib.prefix(2))), "truncated"),
            ("one byte more", encoded(zlib + [0]), "trailing-data"),
            ("two streams", encoded(zlib + zlib), "trailing-data"),
            ("line break at the end", good + Array("\n".utf8), "bad-base64"),
            ("spaces at the end", good + Array("    ".utf8), "bad-base64"),
        ]
        for (name, text, code) in cases {
            #expect(faultCode { _ = try unpack(text) } == code, "\(name)")
            #expect(faultCode { _ = try PayloadCodec.inflatedSize(text: text, limit: 1 << 20) } == code, "\(name)")
            let admitted = faultCode {
                _ = try PayloadCodec.admit(text: text, inflatedLimit: 1 << 20, encodedLimit: 1 << 20)
            }
            #expect(admitted == code, "\(name)")
        }
    }

    @Test("every truncation of a stream is refused")
    func everyTruncation() throws {
        let zlib = try PayloadSamples.zlib(PayloadSamples.prose(3000))
        for count in 0..<zlib.count {
            let code = faultCode { _ = try unpack(PayloadCodec.encodeBase64(Array(zlib.prefix(count)))) }
            #expect(code == "truncated")
        }
    }

    @Test("limits hold to the byte")
    func limits() throws {
        let plain = PayloadSamples.prose(100_000)
        let packed = try PayloadCodec.pack(plain)
        #expect(try unpack(packed.text, limit: 100_000) == plain)
        #expect(faultCode { _ = try unpack(packed.text, limit: 99_999) } == "payload-too-large")
        let tight = faultCode {
            _ = try PayloadCodec.unpack(
                text: packed.text, inflatedLimit: 100_000, encodedLimit: packed.text.count - 1)
        }
        #expect(tight == "payload-too-large")
    }

    @Test("a runner's zlib bytes are checked")
    func inflateZlib() throws {
        let plain = PayloadSamples.noise(300_000)
        let zlib = try PayloadSamples.zlib(plain)
        #expect(faultCode { _ = try PayloadCodec.inflated(zlib: zlib, limit: 299_999) } == "payload-too-large")
        #expect(faultCode { _ = try PayloadCodec.inflated(zlib: zlib + [1], limit: 1 << 20) } == "trailing-data")
        #expect(faultCode { _ = try PayloadCodec.inflated(zlib: [], limit: 1 << 20) } == "truncated")
        #expect(try PayloadCodec.inflated(zlib: zlib, limit: 300_000) == plain)
    }

    @Test("a bomb stops at the cap and takes no memory up to it")
    func bomb() throws {
        let bomb = try PayloadCodec.pack([UInt8](repeating: 0, count: 200 * Self.mebibyte)).text
        let cap = 160 * Self.mebibyte
        // Other tests share the process: what counts is the least growth of a few tries.
        let growth = try (0..<4).map { _ in
            let before = try residentBytes()
            try Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
            #expect(faultCode { _ = try unpack(bomb, limit: cap) } == "payload-too-large")
            return try residentPeakBytes() - before
        }
        #expect(try #require(growth.min()) < 64 * Self.mebibyte, "\(growth)")
    }

    private func residentBytes() throws -> Int { try status("VmRSS:") }
    private func residentPeakBytes() throws -> Int { try status("VmHWM:") }

    private func status(_ field: String) throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(field) })
        return try #require(line.split(whereSeparator: { " \t".contains($0) }).compactMap { Int($0) }.first) * 1024
    }
}
