import Crypto
import Foundation
import SlipwayCore
import TestSupport
import Testing

@Suite("Bundles of outputs")
struct OutputBundleTests {
    private func store() throws -> (ArtifactStore, TemporaryFolder) {
        let folder = try TemporaryFolder()
        return (try ArtifactStore(options: .init(folder: folder.path + "/a")), folder)
    }

    private static func noise(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    /// Feeds files in pieces of a size.
    private func pack(_ files: [(String, [UInt8])], step: Int, inlineMax: Int, in store: ArtifactStore, _ id: JobID)
        throws -> StoredOutputs
    {
        let bundle = OutputBundle(artifacts: store, inlineMaxBytes: inlineMax)
        for (name, bytes) in files {
            var offset = 0
            repeat {
                let end = min(offset + step, bytes.count)
                try bundle.append(
                    .init(
                        name: offset == 0 ? name : nil, bytes: Array(bytes[offset..<end]), isLast: end == bytes.count))
                offset = end
            } while offset < bytes.count
        }
        return try bundle.finish(as: id)
    }

    private func read(
        _ output: StoredOutput, _ id: JobID, _ outputs: StoredOutputs, _ store: ArtifactStore, _ range: Range<Int>
    ) throws -> [UInt8] {
        let reader = try OutputReader(output, of: id, in: store, inline: outputs.inline, range: range)
        try reader.check()
        var bytes: [UInt8] = []
        while let piece = try reader.next(least: 10_000) { bytes += piece }
        return bytes
    }

    @Test("what goes in comes out, whole and in part", arguments: [1000, 65_536, 131_072], [0, 1 << 30])
    func roundTrip(step: Int, inlineMax: Int) throws {
        let (store, folder) = try store()
        defer { withExtendedLifetime(folder) {} }
        let id = JobID()
        let files: [(String, [UInt8])] = [
            ("empty", []), ("one", [7]), ("small", Self.noise(5000)), ("noise", Self.noise(300_001)),
            ("zeros", Array(repeating: 0, count: 3_000_000)),
            ("text", Array(repeating: Array("some text, ".utf8), count: 50_000).flatMap { $0 }),
        ]
        let outputs = try pack(files, step: step, inlineMax: inlineMax, in: store, id)
        #expect((outputs.inline == nil) == (inlineMax == 0))
        #expect(outputs.files.map(\.name) == files.map(\.0))
        for (output, (_, bytes)) in zip(outputs.files, files) {
            #expect(output.size == bytes.count)
            #expect(output.sha256 == Array(SHA256.hash(data: bytes)))
            #expect(try read(output, id, outputs, store, 0..<bytes.count) == bytes)
            let (low, high) = (bytes.count / 3, bytes.count - bytes.count / 5)
            #expect(try read(output, id, outputs, store, low..<high) == Array(bytes[low..<high]))
        }
    }

    @Test("each file is one line of base64 of zlib")
    func format() throws {
        let (store, folder) = try store()
        defer { withExtendedLifetime(folder) {} }
        let id = JobID()
        let files = [("a", Self.noise(100_000)), ("b", Array("hello".utf8))]
        let outputs = try pack(files, step: 40_000, inlineMax: 1 << 30, in: store, id)
        let lines = try #require(outputs.inline).split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 2)
        for (line, (_, bytes)) in zip(lines, files) {
            #expect(try PayloadCodec.unpack(text: Array(line), inflatedLimit: 1 << 20, encodedLimit: 1 << 20) == bytes)
        }
    }

    @Test("a bundle that is dropped leaves nothing; a file without its end is none")
    func dropped() throws {
        let (store, folder) = try store()
        let drafts = folder.path + "/a/.drafts"
        do {
            let bundle = OutputBundle(artifacts: store, inlineMaxBytes: 0)
            try bundle.append(.init(name: "a", bytes: Self.noise(2_000_000), isLast: false))
            #expect(try FileManager.default.contentsOfDirectory(atPath: drafts).count == 1)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: drafts) == [])
        let bundle = OutputBundle(artifacts: store, inlineMaxBytes: 1 << 20)
        try bundle.append(.init(name: "a", bytes: [1], isLast: true))
        try bundle.append(.init(name: "b", bytes: [1], isLast: false))
        let outputs = try bundle.finish(as: JobID())
        #expect(outputs.files.map(\.name) == ["a"])
    }

    @Test("every altered character is noticed before a byte is handed out", arguments: [true, false])
    func altered(isInline: Bool) throws {
        let (store, folder) = try store()
        let id = JobID()
        let bytes = Array("abcdefgh".utf8)
        var outputs = try pack([("x", [1]), ("f", bytes)], step: 3, inlineMax: isInline ? 1 << 20 : 0, in: store, id)
        let output = outputs.files[1]
        let path = "\(folder.path)/a/\(id.description.dropFirst(14).prefix(2))/\(id).files.z64"
        let text = try outputs.inline ?? Array(Data(contentsOf: URL(fileURLWithPath: path)))
        for place in output.position..<output.position + output.encodedSize {
            var changed = text
            changed[place] ^= 1
            if isInline { outputs.inline = changed } else { try Data(changed).write(to: URL(fileURLWithPath: path)) }
            #expect(throws: EngineError.self) { try read(output, id, outputs, store, 0..<8) }
        }
    }
}

@Suite("Names of outputs")
struct OutputNameTests {
    @Test(
        "names that stay in their folder",
        arguments: ["a", "a/b.c", "..a", "a..", "a b", "\u{e9}", ".hidden", "a/\u{301}b"])
    func good(name: String) { #expect(OutputName.fault(in: name) == nil) }

    @Test(
        "names that do not",
        arguments: [
            "", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0", "a\n", "a\\b", "\u{85}",
            "../\u{301}b", "a/../\u{301}b", "/\u{301}b",
        ])
    func bad(name: String) { #expect(OutputName.fault(in: name) != nil) }

    @Test("names that are too long")
    func long() {
        #expect(OutputName.fault(in: String(repeating: "n", count: 255)) == nil)
        #expect(OutputName.fault(in: String(repeating: "n", count: 256)) != nil)
        #expect(OutputName.fault(in: Array(repeating: "n", count: 513).joined(separator: "/")) != nil)
    }
}
