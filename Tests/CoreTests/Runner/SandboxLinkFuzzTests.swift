import Foundation
import NIOCore
import NIOPosix
import SlipwayCore
import TestSupport
import Testing

/// A supervisor that goes wrong in the middle of its stream, over a real socket.
@Suite(.serialized) struct SandboxLinkFuzzTests {
    @Test("what came before a violation is delivered, nothing after it, and the connection ends")
    func streams() async throws {
        try await LinkFuzzing.run(streams: 60, seed: Soak.seed(3))
    }
}

/// The long version of ``SandboxLinkFuzzTests``.
@Suite(.serialized, .enabled("a long version; make soak runs it", Soak.isOn)) struct SandboxLinkFuzzSoakTests {
    @Test("20,000 streams that go wrong")
    func streams() async throws {
        let count = Soak.count(20_000)
        try await LinkFuzzing.run(streams: count, seed: Soak.seed(3))
        Soak.report("\(count) streams to the host's socket that went wrong were cut at the violation")
    }
}

private enum LinkFuzzing {
    static func run(streams: Int, seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let owner = LinkOwner(loop: group.next())
        let path = folder.path + "/s"
        try await owner.listen(at: path)
        var fuzzer = FrameFuzzer(seed: seed)
        for stream in 0..<streams {
            owner.forget()
            let (bytes, valid, harmed) = makeStream(&fuzzer)
            let pieces = split(bytes, &fuzzer.random)
            try await onThread { try send(pieces, to: path) }
            let events = try await eventually("stream \(stream) of seed \(seed) has ended") {
                let events = owner.take()
                return events.last == "violation" || events.last == "disconnected" ? events : nil
            }
            let expected = Array(repeating: "message", count: valid) + [harmed ? "violation" : "disconnected"]
            #expect(events == expected, "stream \(stream) of seed \(seed)")
        }
        await owner.close()
        try await group.shutdownGracefully()
    }

    /// Valid frames, then one that is none, then valid ones again.
    private static func makeStream(_ fuzzer: inout FrameFuzzer) -> (bytes: [UInt8], valid: Int, harmed: Bool) {
        let before = fuzzer.random.below(20)
        var bytes: [UInt8] = []
        for _ in 0..<before { bytes += fuzzer.validButHello().bytes }
        guard fuzzer.random.chance(90) else { return (bytes, before, false) }
        while true {
            let sample = fuzzer.mutated()
            // One that still waits for its end would take the next ones for it.
            var buffer = ByteBuffer(bytes: sample.bytes)
            guard !FrameFuzzing.isTaken(sample.bytes), !isIncomplete(&buffer) else { continue }
            bytes += sample.bytes
            break
        }
        for _ in 0..<fuzzer.random.below(5) { bytes += fuzzer.valid().bytes }
        return (bytes, before, true)
    }

    private static func isIncomplete(_ buffer: inout ByteBuffer) -> Bool {
        do { return try Frame.read(from: &buffer) == nil } catch { return false }
    }

    private static func split(_ bytes: [UInt8], _ random: inout SimulationRandom) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = random.pick([1, 5, 11, 12, 13, 700, 70_000])
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }

    private static func send(_ pieces: [[UInt8]], to path: String) throws {
        let connection = try HTTPConnection(.unix(path), timeoutSeconds: 10)
        for piece in pieces { try connection.send(piece) }
    }
}
