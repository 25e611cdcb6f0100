import NIOCore
import SlipwayCore
import Testing

@Suite("Records of attached streams")
struct AttachRecordTests {
    private let ours = Array("0123456789abcdef".utf8)
    private let theirs = Array("fedcba9876543210".utf8)

    private func frame(_ body: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        Frame.write(.heartbeat, header: Array("{}".utf8), body: body, into: &buffer)
        return buffer
    }

    private func read(_ stream: [UInt8], by step: Int) throws -> [[UInt8]] {
        var reader = AttachRecordReader(session: ours)
        var found: [[UInt8]] = []
        for start in stride(from: 0, to: stream.count, by: step) {
            try reader.feed(Array(stream[start..<min(stream.count, start + step)])) {
                found.append(Array($0.readableBytesView))
            }
        }
        return found
    }

    @Test("content comes back whatever its bytes and wherever the stream is cut")
    func roundTrip() throws {
        var expected: [[UInt8]] = []
        var stream = AttachRecord.records(of: frame([1]), session: theirs).dropLast(3)
        for round in 0..<200 {
            let body = (0..<(round % 40)).map { _ in [0xFE, 0, 1, 2, 3, 0x61].randomElement() ?? 0 } as [UInt8]
            expected.append(Array(frame(body).readableBytesView))
            stream += AttachRecord.records(of: frame(body), session: ours)
            stream += AttachRecord.records(of: frame(body), session: theirs)
        }
        expected.append([])
        stream += AttachRecord.sign(of: ours)
        for step in [1, 2, 3, 17, stream.count] { #expect(try read(Array(stream), by: step) == expected) }
    }

    @Test("several frames become several records")
    func several() throws {
        var frames = frame([0xFE])
        var second = frame(Array(repeating: 0xFE, count: 300_000))
        let expected = [Array(frames.readableBytesView), Array(second.readableBytesView)]
        frames.writeBuffer(&second)
        #expect(try read(AttachRecord.records(of: frames, session: ours), by: 65_536) == expected)
    }

    @Test(
        "what breaks the present session is a violation; what comes before it is passed over",
        arguments: [
            [0xFE, 0x01, 0x30], [0xFE, 0x07], [0xFE, 0xFE, 0x01],
        ] as [[UInt8]])
    func broken(_ rest: [UInt8]) throws {
        let sound = AttachRecord.records(of: frame([7]), session: ours)
        let torn = Array(sound.dropLast(2)) + rest
        #expect(try read(torn + sound, by: 5).count == 1, "before the session has begun")
        #expect(throws: Frame.Violation.self) { try read(sound + torn + sound, by: 5) }
    }

    @Test("a record that never ends is given up")
    func endless() throws {
        let sound = AttachRecord.records(of: frame([]), session: ours)
        let endless = Array(sound.dropLast(2)) + [UInt8](repeating: 0x61, count: 2_000_000)
        #expect(try read(endless + sound, by: 65_536).count == 1)
        #expect(throws: Frame.Violation.self) { try read(sound + endless, by: 65_536) }
    }

    @Test("no random bytes crash the reader or look like a session")
    func noise() throws {
        for _ in 0..<200 {
            let noise = (0..<5000).map { _ in [0xFE, 0, 1, 2, 3, UInt8.random(in: 0...255)].randomElement() ?? 0 }
            #expect(try read(noise as [UInt8], by: 100) == [])
        }
    }
}
