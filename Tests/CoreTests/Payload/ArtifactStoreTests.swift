import Foundation
import SlipwayCore
import TestSupport
import Testing

@Suite("Artifact store")
struct ArtifactStoreTests {
    private let fixture: StoreFixture
    private let store: ArtifactStore
    private let id = JobID()

    init() throws {
        fixture = try StoreFixture()
        store = try ArtifactStore(options: .init(folder: fixture.artifacts.path))
    }

    private func file(_ kind: String) -> URL { fixture.file(id, kind) }

    @Test("a file holds the plain text, under the job's shard, for its owner only")
    func layout() throws {
        let packed = try PayloadCodec.pack(Array("hello".utf8))
        try store.writeDurably(id, .input, text: packed.text)
        try store.writeLazily([
            .init(id: id, kind: .result, text: packed.text), .init(id: id, kind: .journal, text: packed.text),
        ])
        try store.syncAll()
        for kind in ["in", "out", "log"] {
            #expect(try Array(Data(contentsOf: file(kind))) == packed.text)
            let mode = try FileManager.default.attributesOfItem(atPath: file(kind).path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
        let shard = file("in").deletingLastPathComponent()
        #expect(try FileManager.default.attributesOfItem(atPath: shard.path)[.posixPermissions] as? Int == 0o700)
        try ChildProcess.python(
            "import base64, zlib, sys; assert zlib.decompress(base64.b64decode(open(sys.argv[1]).read())) == b'hello'",
            file("in").path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.artifacts.path + "/.drafts").isEmpty)
    }

    @Test("where the file system can, shards are kept apart from each other, whose files it then finds room for sooner")
    func shardsApart() throws {
        try ChildProcess.python(
            """
            import fcntl, os, struct, sys
            get, set_, apart = 0x80086601, 0x40086602, 0x20000
            def flags(folder):
                return struct.unpack("i", fcntl.ioctl(folder, get, bytes(4)))[0]
            other = sys.argv[1] + ".other"
            os.mkdir(other)
            try:
                folder = os.open(other, os.O_RDONLY)
                fcntl.ioctl(folder, set_, struct.pack("i", flags(folder) | apart))
                can = flags(folder) & apart
            except OSError:
                can = 0
            assert not can or flags(os.open(sys.argv[1], os.O_RDONLY)) & apart
            """, fixture.artifacts.path)
    }

    @Test("a long input does not stay in memory once it is on disk, a long result does", arguments: [true, false])
    func cache(isInput: Bool) throws {
        let kind: ArtifactKind = isInput ? .input : .result
        let kept = try store.keep(
            PayloadSamples.noise(3_000_000), as: kind, of: id, inlineMaxBytes: 1000, keepsText: false)
        #expect(kept.stored.inline == nil)
        try ChildProcess.python(
            """
            import ctypes, mmap, os, sys
            file = os.open(sys.argv[1], os.O_RDWR)
            size = os.fstat(file).st_size
            memory = mmap.mmap(file, size)
            pages = (ctypes.c_ubyte * (size // mmap.PAGESIZE + 1))()
            place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            assert ctypes.CDLL(None).mincore(ctypes.c_void_p(place), ctypes.c_size_t(size), pages) == 0
            share = sum(page & 1 for page in pages) / len(pages)
            assert (share < 0.1) == (sys.argv[2] == "in"), share
            """, file(isInput ? "in" : "out").path, isInput ? "in" : "out")
    }

    @Test("a shard made for files that are not safe yet takes those that are to be, before and after")
    func shardOfBoth() throws {
        let text = try PayloadCodec.pack(Array("hello".utf8)).text
        try store.writeLazily([.init(id: id, kind: .result, text: text)])
        try store.writeDurably(id, .input, text: text)
        try store.syncAll()
        try store.writeLazily([.init(id: id, kind: .journal, text: text)])
        for kind in ["in", "out", "log"] { #expect(try Array(Data(contentsOf: file(kind))) == text) }
    }

    @Test("texts of any size are read back, whole and inflated piece by piece", arguments: [0, 1, 70_000, 5_000_000])
    func readBack(_ count: Int) throws {
        for plain in [PayloadSamples.noise(count), PayloadSamples.prose(count)] {
            let packed = try PayloadCodec.pack(plain)
            try store.writeDurably(id, .result, text: packed.text)
            #expect(
                try store.read(id, .result, digest: packed.digest, limit: packed.text.count) == packed.text)
            var inflated: [UInt8] = []
            let size = try store.inflate(
                id, .result, digest: packed.digest, encodedLimit: packed.text.count, inflatedLimit: count
            ) { inflated.append(contentsOf: $0) }
            #expect(size == count)
            #expect(inflated == plain)
        }
    }

    @Test("what is packed as it is written is what packing it first gives", arguments: [0, 9000, 300_000, 5_000_000])
    func keep(_ count: Int) throws {
        let inlineMax = 16_384
        for plain in [PayloadSamples.noise(count), PayloadSamples.prose(count)] {
            let packed = try PayloadCodec.pack(plain)
            for keepsText in [true, false] {
                let id = JobID()
                let kept = try store.keep(
                    plain, as: .input, of: id, inlineMaxBytes: inlineMax, keepsText: keepsText)
                let isFile = packed.text.count > inlineMax
                #expect(kept.stored == StoredArtifact(packed, inline: !isFile))
                #expect(kept.text == (keepsText ? packed.text : nil))
                #expect(FileManager.default.fileExists(atPath: fixture.file(id, "in").path) == isFile)
                guard isFile else { continue }
                let text = try store.read(id, .input, digest: packed.digest, limit: packed.text.count)
                #expect(text == packed.text)
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.artifacts.path + "/.drafts").isEmpty)
    }

    @Test("a zlib stream is kept as it is", arguments: [100, 2_000_000])
    func keepZlib(_ count: Int) throws {
        let plain = PayloadSamples.noise(count)
        let zlib = try PayloadSamples.zlib(plain)
        let kept = try store.packedDraft(zlib: zlib, inlineMaxBytes: 16_384, keepsText: true)
            .publish(as: .result, of: id, plainSize: count)
        #expect(kept.text == PayloadCodec.encodeBase64(zlib))
        #expect((kept.stored.inline == nil) == (count > 16_384))
        #expect(kept.stored.plainSize == count)
        guard kept.stored.inline == nil else { return }
        var inflated: [UInt8] = []
        let size = try store.inflate(
            id, .result, digest: kept.stored.digest, encodedLimit: kept.stored.encodedSize, inflatedLimit: count
        ) { inflated.append(contentsOf: $0) }
        #expect(size == count)
        #expect(inflated == plain)
    }

    @Test("of a draft that is not published nothing stays")
    func unpublished() throws {
        let zlib = try PayloadSamples.zlib(PayloadSamples.noise(2_000_000))
        let drafts = fixture.artifacts.path + "/.drafts"
        do {
            let draft = try store.packedDraft(zlib: zlib, inlineMaxBytes: 16_384, keepsText: false)
            #expect(try FileManager.default.contentsOfDirectory(atPath: drafts).count == 1)
            withExtendedLifetime(draft) {}
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: drafts).isEmpty)
    }

    @Test("what is missing, cut, longer, altered or too large is named")
    func damage() throws {
        let packed = try PayloadCodec.pack(PayloadSamples.noise(1000))
        func code(limit: Int = 1 << 20) -> String? {
            faultCode { _ = try store.read(id, .input, digest: packed.digest, limit: limit) }
        }
        func inflateCode() -> String? {
            faultCode {
                _ = try store.inflate(
                    id, .input, digest: packed.digest, encodedLimit: 1 << 20, inflatedLimit: 1 << 20
                ) { _ in }
            }
        }
        #expect(code() == "artifact-corrupt")
        try store.writeDurably(id, .input, text: packed.text)
        #expect(code() == nil && inflateCode() == nil)
        #expect(code(limit: packed.text.count - 1) == "payload-too-large")
        var altered = packed.text
        altered[10] ^= 1
        for bytes in [[], Array(packed.text.dropLast(4)), packed.text + [65, 65, 65, 65], altered] {
            try Data(bytes).write(to: file("in"))
            #expect(code() == "artifact-corrupt")
            #expect(inflateCode() == "artifact-corrupt")
        }
    }

    @Test("symbolic links and other things than files are not followed")
    func links() throws {
        let packed = try PayloadCodec.pack([1, 2, 3])
        let outside = fixture.folder.appendingPathComponent("outside")
        try Data(packed.text).write(to: outside)
        try store.writeDurably(id, .input, text: packed.text)
        try FileManager.default.removeItem(at: file("in"))
        try FileManager.default.createSymbolicLink(at: file("in"), withDestinationURL: outside)
        #expect(faultCode { _ = try store.read(id, .input, digest: packed.digest, limit: 1000) } != nil)
        try store.writeDurably(id, .input, text: Array("AAAA".utf8))
        #expect(try Array(Data(contentsOf: outside)) == packed.text)
        try FileManager.default.removeItem(at: file("in"))
        #expect(ChildProcess.succeeds("/usr/bin/mkfifo", [file("in").path]))
        #expect(faultCode { _ = try store.read(id, .input, digest: packed.digest, limit: 1000) } == "artifact-corrupt")
        let shard = file("in").deletingLastPathComponent()
        try FileManager.default.removeItem(at: shard)
        let elsewhere = fixture.folder.appendingPathComponent("elsewhere")
        try FileManager.default.createDirectory(at: elsewhere, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(at: shard, withDestinationURL: elsewhere)
        #expect(faultCode { try store.writeDurably(id, .input, text: packed.text) } == "storage")
        #expect(try FileManager.default.contentsOfDirectory(atPath: elsewhere.path).isEmpty)
    }

    @Test("removing takes the job's files and leaves its neighbours; what is gone is no error")
    func remove() throws {
        let text = try PayloadCodec.pack([1]).text
        for kind in ArtifactKind.allCases { try store.writeDurably(id, kind, text: text) }
        try store.remove(id, .input)
        #expect(!FileManager.default.fileExists(atPath: file("in").path))
        #expect(FileManager.default.fileExists(atPath: file("out").path))
        try store.remove(id)
        try store.remove(id)
        try store.remove(JobID())
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: file("in").deletingLastPathComponent().path).isEmpty)
    }

    @Test("files that a crash left in the making are removed at the start")
    func drafts() throws {
        let drafts = fixture.artifacts.appendingPathComponent(".drafts")
        try Data("half".utf8).write(to: drafts.appendingPathComponent("17"))
        _ = try ArtifactStore(options: .init(folder: fixture.artifacts.path))
        #expect(try FileManager.default.contentsOfDirectory(atPath: drafts.path).isEmpty)
    }
}
