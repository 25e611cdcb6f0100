import Foundation
import NIOCore
import SlipwayCore
import TestSupport
import Testing

/// Mutated frames on the host's side: what the protocol does not allow is not taken, and nothing crashes.
@Suite struct FrameFuzzTests {
    @Test("mutated frames are taken exactly when the protocol allows them")
    func mutated() throws {
        let taken = try FrameFuzzing.run(frames: 15_000, seed: Soak.seed(1))
        // A mutator that harms nothing, or everything, would find nothing.
        #expect((1000...12_000).contains(taken), "\(taken) of 15,000 frames were taken")
    }

    @Test("valid frames are taken, however the stream is split, and a cut one never")
    func valid() throws {
        var fuzzer = FrameFuzzer(seed: Soak.seed(2))
        for _ in 0..<500 {
            let sample = fuzzer.valid()
            for length in [0, 1, 11, 12, sample.bytes.count / 2, sample.bytes.count - 1] {
                var buffer = ByteBuffer(bytes: sample.bytes.prefix(length))
                #expect(try Frame.read(from: &buffer) == nil)
                #expect(buffer.readableBytes == length)
            }
            #expect(FrameFuzzing.isTaken(sample.bytes), "\(String(decoding: sample.bytes, as: UTF8.self))")
        }
    }
}

/// The long version of ``FrameFuzzTests``.
@Suite(.enabled("a long version; make soak runs it", Soak.isOn)) struct FrameFuzzSoakTests {
    @Test("1,000,000 mutated frames: none is taken that the protocol does not allow, and memory does not grow")
    func million() throws {
        let (rounds, frames) = (Soak.count(100), 10_000)
        var taken = 0
        let growth = try Soak.peakGrowthBytes {
            for round in 0..<rounds {
                taken += try FrameFuzzing.run(frames: frames, seed: Soak.seed(1) + UInt64(round))
            }
        }
        #expect((growth ?? 0) < 64 << 20, "memory grew by \(growth ?? 0) bytes")
        Soak.report(
            "\(rounds * frames) mutated frames at the host's side: \(taken) valid ones taken, peak memory grew by "
                + "\((growth ?? 0) >> 20) MiB")
    }
}

/// Feeds frames to the host's decoder and compares with `FrameShape`.
enum FrameFuzzing {
    /// Runs so many mutated frames; how many of them were taken.
    static func run(frames: Int, seed: UInt64) throws -> Int {
        var fuzzer = FrameFuzzer(seed: seed)
        var taken = 0
        for number in 0..<frames {
            let sample = fuzzer.mutated()
            let isTaken = isTaken(sample.bytes)
            taken += isTaken ? 1 : 0
            let allowed =
                sample.header.map { isAllowed(sample.kind, $0) } ?? (isTaken ? isAllowed(sample.bytes) : false)
            guard isTaken != allowed else { continue }
            let text = String(decoding: sample.bytes.prefix(1000), as: UTF8.self)
            throw TestFailure("seed \(seed), frame \(number): taken \(isTaken), allowed \(allowed): \(text)")
        }
        return taken
    }

    /// Whether the host takes the first frame of these bytes.
    static func isTaken(_ bytes: [UInt8]) -> Bool {
        var buffer = ByteBuffer(bytes: bytes)
        do {
            guard let frame = try Frame.read(from: &buffer) else { return false }
            _ = try RunnerMessage(frame)
            return true
        } catch {
            return false
        }
    }

    private static func isAllowed(_ kind: UInt8, _ header: JSONValue) -> Bool {
        (FrameShape.header(of: kind)?.fits(header) ?? false) && FrameShape.isCoherent(kind, header)
    }

    /// Whether the first frame of damaged bytes is one that the protocol allows, by another parser of JSON.
    private static func isAllowed(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 12, bytes[0] == 1, bytes[2] == 0, bytes[3] == 0,
            let bodyLimit = FrameShape.bodyLimit(of: bytes[1])
        else { return false }
        let (header, body) = (FrameFuzzer.number(bytes, 4), FrameFuzzer.number(bytes, 8))
        guard header <= 65_536, body <= bodyLimit, bytes.count >= 12 + header + body,
            let value = try? JSONDecoder().decode(LenientJSON.self, from: Data(bytes[12..<12 + header])).value
        else { return false }
        return isAllowed(bytes[1], value)
    }
}

/// JSON as Foundation reads it.
private struct LenientJSON: Decodable {
    let value: JSONValue

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            value = .null
        } else if let bool = try? container.decode(Bool.self) {
            value = .bool(bool)
        } else if let integer = try? container.decode(Int64.self) {
            value = .integer(integer)
        } else if let number = try? container.decode(Double.self) {
            value = .number(number)
        } else if let text = try? container.decode(String.self) {
            value = .string(text)
        } else if let values = try? container.decode([LenientJSON].self) {
            value = .array(values.map(\.value))
        } else {
            value = .object(try container.decode([String: LenientJSON].self).mapValues(\.value))
        }
    }
}
