import SlipwayCore
import Testing

@Suite("Demultiplexer of Docker's streams")
struct DockerStreamDemultiplexerTests {
    typealias Stream = DockerStreamDemultiplexer.Stream
    typealias Malformed = DockerStreamDemultiplexer.Malformed

    @Test("every split of a stream into two parts gives the same payload")
    func everySplit() throws {
        let wire = frame(1, "h\u{e9}llo") + frame(2, "") + frame(2, "e") + frame(0, "in") + frame(1, "\u{1F40D}\n")
        let expected = try parse([wire])
        #expect(expected[.standardOutput] == Array("h\u{e9}llo\u{1F40D}\n".utf8))
        #expect(expected[.standardError] == Array("e".utf8))
        #expect(expected[.standardInput] == Array("in".utf8))
        for cut in 0...wire.count {
            #expect(try parse([Array(wire[..<cut]), Array(wire[cut...])]) == expected)
        }
        #expect(try parse(wire.map { [$0] }) == expected)
    }

    @Test("random frames in random pieces come back whole", arguments: 0..<200)
    func randomSplits(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var wire: [UInt8] = []
        var expected: [Stream: [UInt8]] = [:]
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            let stream = UInt8.random(in: 0...2, using: &random)
            let payload = (0..<Int.random(in: 0...700, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            wire += frame(stream, payload)
            if !payload.isEmpty { expected[try #require(Stream(rawValue: stream)), default: []] += payload }
        }
        var pieces: [[UInt8]] = []
        var rest = wire[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...min(rest.count, 300), using: &random)
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(try parse(pieces) == expected)
    }

    @Test("random bytes never crash, and what is refused once stays refused", arguments: 0..<200)
    func garbage(seed: UInt64) {
        var random = SplitMix(state: seed)
        var parser = DockerStreamDemultiplexer(limitBytes: 1 << 16)
        var refusal: Malformed?
        for _ in 0..<50 {
            let bytes = (0..<Int.random(in: 1...40, using: &random)).map { _ in UInt8.random(in: 0...4, using: &random)
            }
            do {
                try parser.feed(bytes) { _, piece in #expect(!piece.isEmpty) }
                #expect(refusal == nil)
            } catch {
                if let refusal { #expect(error as? Malformed == refusal) }
                refusal = error as? Malformed
                #expect(refusal != nil)
            }
        }
    }

    @Test("an unknown stream, reserved bytes and a frame above the cap are refused")
    func refusals() {
        #expect(throws: Malformed.unknownStream(3)) { try parse([frame(3, "x")]) }
        #expect(throws: Malformed.unknownStream(72)) { try parse([Array("HTTP/1.1 200 OK".utf8)]) }
        #expect(throws: Malformed.reservedBytesSet) { try parse([[1, 0, 7, 0, 0, 0, 0, 0]]) }
        #expect(throws: Malformed.frameTooLong(0xffff_ffff)) { try parse([[1, 0, 0, 0, 255, 255, 255, 255]]) }
        #expect(throws: Never.self) { try parse([frame(1, [UInt8](repeating: 1, count: 64))], limitBytes: 64) }
        #expect(throws: Malformed.frameTooLong(65)) {
            try parse([frame(1, [UInt8](repeating: 1, count: 65))], limitBytes: 64)
        }
    }

    @Test("a stream that ends anywhere but between two frames is truncated")
    func truncation() throws {
        let wire = frame(1, "abc") + frame(2, "de")
        for cut in 0...wire.count {
            var parser = DockerStreamDemultiplexer()
            try parser.feed(Array(wire[..<cut])) { _, _ in }
            let isBoundary = [0, 11, 21].contains(cut)
            #expect(parser.isAtFrameBoundary == isBoundary)
            if isBoundary {
                try parser.finish()
            } else {
                #expect(throws: Malformed.truncated) { try parser.finish() }
            }
        }
    }

    private func frame(_ stream: UInt8, _ text: String) -> [UInt8] { frame(stream, Array(text.utf8)) }

    private func frame(_ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let length = UInt32(payload.count)
        return [stream, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + payload
    }

    @discardableResult
    private func parse(_ pieces: [[UInt8]], limitBytes: Int = 1 << 26) throws -> [Stream: [UInt8]] {
        var parser = DockerStreamDemultiplexer(limitBytes: limitBytes)
        var streams: [Stream: [UInt8]] = [:]
        for piece in pieces { try parser.feed(piece) { streams[$0, default: []] += $1 } }
        try parser.finish()
        return streams
    }
}

/// A small seeded generator (splitmix64), so that a failing case can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
