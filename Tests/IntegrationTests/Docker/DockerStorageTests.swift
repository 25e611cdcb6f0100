import Foundation
import SlipwayCore
import Testing

@Suite("Images and volumes of a live engine", .enabled("no container engine answers", LiveEngine.answers))
struct DockerStorageTests {
    let client: DockerClient

    init() throws { client = try LiveEngine.client() }

    @Test("the base image can be inspected by name and by id")
    func inspectImage() async throws {
        let image = try #require(try await client.inspectImage(LiveEngine.image))
        #expect(image.id.hasPrefix("sha256:"))
        #expect(image.names.contains(LiveEngine.image))
        #expect(image.operatingSystem == "linux")
        #expect(try await client.inspectImage(image.id)?.id == image.id)
    }

    @Test("an archive of 12 MB streams in as an image, is tagged, and removed")
    func loadAndTag() async throws {
        let name = LiveEngine.uniqueName("load")
        let archive = TarArchive([
            ("padding", [UInt8](repeating: 7, count: 12_000_000)),
            (
                "config.json",
                Array(
                    #"{"architecture":"amd64","os":"linux","config":{"Labels":{"made":"here"},"Volumes":{"/data":{}}},"rootfs":{"type":"layers","diff_ids":[]},"history":[]}"#
                        .utf8)
            ),
            ("manifest.json", Array(#"[{"Config":"config.json","RepoTags":["\#(name):1"],"Layers":[]}]"#.utf8)),
        ])
        let messages = try await client.loadImages(from: archive)
        #expect(messages.contains { $0.contains("\(name):1") })
        try await client.tagImage("\(name):1", repository: name, tag: "2")
        let image = try #require(try await client.inspectImage("\(name):2"))
        #expect(image.labels == ["made": "here"])
        #expect(image.volumes == ["/data"])
        #expect(try await client.removeImage("\(name):1"))
        #expect(try await client.removeImage("\(name):2"))
        #expect(try await client.removeImage("\(name):2") == false)
    }

    @Test("an archive that is none is refused with the engine's words")
    func loadGarbage() async throws {
        let garbage = TarArchive([("manifest.json", Array("not json".utf8))])
        let error = await #expect(throws: EngineError.self) { try await client.loadImages(from: garbage) }
        #expect(error?.code == .containerEngineError)
        let missing = await #expect(throws: EngineError.self) {
            try await client.loadImages(fromFile: "/no/such/archive.tar")
        }
        #expect(missing?.message.contains("/no/such/archive.tar") == true)
    }

    @Test("a volume is made, found by label, filled, and removed once unused")
    func volumes() async throws {
        let name = LiveEngine.uniqueName("volume")
        let made = try await client.createVolume(name: name, labels: ["slipway.engine": name])
        #expect(made.name == name)
        #expect(try await client.createVolume(name: name, labels: ["slipway.engine": name]).name == name)
        #expect(try await client.listVolumes(labels: ["slipway.engine": name]).map(\.name) == [name])
        #expect(try await client.inspectVolume(name)?.labels?["slipway.engine"] == name)
        var spec = LiveEngine.spec("cat /data/hello")
        spec.mounts = [.volume(name: name, target: "/data", isReadOnly: false)]
        try await LiveEngine.withContainer(client, spec, start: false) { id in
            try await client.putArchive(id, folder: "/data", archive: TarArchive([("hello", Array("from a tar".utf8))]))
            try await client.startContainer(id)
            #expect(try await client.waitForContainer(id) == 0)
            #expect(try await client.logs(id).standardOutput == Array("from a tar".utf8))
            #expect(try await client.inspectContainer(id)?.mounts.first?.name == name)
            let inUse = await #expect(throws: EngineError.self) { try await client.removeVolume(name) }
            #expect(inUse?.dockerStatus == 409)
        }
        #expect(try await client.removeVolume(name))
        #expect(try await client.removeVolume(name) == false)
        #expect(try await client.inspectVolume(name) == nil)
    }

    @Test("the network none exists, another does not")
    func networks() async throws {
        #expect(try await client.inspectNetwork("none")?.name == "none")
        #expect(try await client.inspectNetwork(LiveEngine.uniqueName("network")) == nil)
    }
}

/// A ustar archive of plain files, in chunks.
struct TarArchive: AsyncSequence, Sendable {
    typealias Element = [UInt8]

    private let bytes: [UInt8]

    init(_ files: [(name: String, content: [UInt8])]) {
        var bytes: [UInt8] = []
        for (name, content) in files {
            bytes += Self.header(name, content.count) + content
            bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
        }
        self.bytes = bytes + [UInt8](repeating: 0, count: 1024)
    }

    func makeAsyncIterator() -> Iterator { Iterator(rest: bytes[...]) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var rest: ArraySlice<UInt8>

        mutating func next() async -> [UInt8]? {
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(100_000) }
            return Array(rest.prefix(100_000))
        }
    }

    private static func header(_ name: String, _ size: Int) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
        }
        let octal = String(size, radix: 8)
        put(name, at: 0)
        put("0000644", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(String(repeating: "0", count: 11 - octal.count) + octal, at: 124)
        put("00000000000", at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
        put(String(repeating: "0", count: 6 - sum.count) + sum + "\0 ", at: 148)
        return header
    }
}
