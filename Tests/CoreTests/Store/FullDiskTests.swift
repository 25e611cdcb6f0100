import Foundation
import SlipwayCore
import TestSupport
import Testing

@Suite("Full disk", .enabled(if: TinyDisk.isPossible, "needs the right to mount a tmpfs"))
struct FullDiskTests {
    @Test("a full disk refuses changes by name, keeps what it accepted, and work resumes when there is room")
    func store() async throws {
        let disk = try TinyDisk(megabytes: 4)
        let fixture = try StoreFixture(folder: disk.folder, of: disk)
        fixture.options.walBytes = 64 * 1024
        let store = try fixture.open()
        let payload = try PayloadCodec.pack(PayloadSamples.noise(9000))
        var accepted: [JobID] = []
        var refused: [JobID] = []
        try store.performBlocking(.insert([StoreSamples.row(claimed: true, input: payload)], idempotency: nil))
        try disk.fill("ballast")
        for _ in 0..<400 {
            let row = StoreSamples.row(claimed: true, input: payload)
            do {
                try store.performBlocking(.insert([row], idempotency: nil))
                accepted.append(row.job.id)
            } catch let error as EngineError {
                #expect(error.code == .storageFull, "\(error)")
                refused.append(row.job.id)
            }
            if refused.count == 20 { break }
        }
        #expect(refused.count == 20)
        #expect(faultCode { try store.flush() } == "storage-full")
        #expect(try store.unfinishedBlocking().count == accepted.count + 1)
        for id in refused { #expect(try store.rowBlocking(id) == nil) }
        for id in accepted {
            let input = try #require(try store.rowBlocking(id)?.input)
            #expect(try store.text(of: input, id, .input) == payload.text)
        }
        try disk.remove("ballast")
        let row = StoreSamples.row(claimed: true, input: payload)
        try store.performBlocking(.insert([row], idempotency: nil))
        try store.flush()
        #expect(try await store.pendingCopies() == 0)
        #expect(try store.integrityProblemsBlocking().isEmpty)
        store.close()
        let again = try fixture.open()
        #expect(try again.unfinishedBlocking().count == accepted.count + 2)
        again.close()
    }

    @Test("of the database's disk and the artifacts' the one with less room counts")
    func twoDisks() throws {
        let (small, large) = (try TinyDisk(megabytes: 4), try TinyDisk(megabytes: 8))
        for (data, files) in [(small, large), (large, small)] {
            let fixture = try StoreFixture(folder: data.folder, of: data)
            let artifacts = try ArtifactStore(options: .init(folder: files.folder.path + "/artifacts"))
            let store = try JobStore(options: fixture.options, artifacts: artifacts)
            defer { store.close() }
            let free = try store.freeBytes()
            #expect(free > 1 << 20 && free <= 4 << 20)
            try small.fill("ballast")
            #expect(try store.freeBytes() < 4096)
            try small.remove("ballast")
        }
    }

    @Test("a start on a full disk says so, and succeeds once there is room")
    func open() throws {
        let disk = try TinyDisk(megabytes: 4)
        let fixture = try StoreFixture(folder: disk.folder, of: disk)
        fixture.options.walBytes = 64 * 1024
        let row = StoreSamples.row(claimed: true, input: try PayloadCodec.pack([1]))
        let first = try fixture.open()
        try first.performBlocking(.insert([row], idempotency: nil))
        let artifacts = try ArtifactStore(options: .init(folder: fixture.artifacts.path))
        try disk.fill("ballast")
        let text = PayloadSamples.noise(200_000)
        #expect(faultCode { try artifacts.writeDurably(JobID(), .input, text: text) } == "storage-full")
        let kept = faultCode {
            _ = try artifacts.keep(text, as: .input, of: JobID(), inlineMaxBytes: 16_384, keepsText: false)
        }
        #expect(kept == "storage-full")
        #expect(
            faultCode { try artifacts.writeLazily([.init(id: JobID(), kind: .input, text: text)]) } == "storage-full")
        #expect(try artifacts.freeBytes() < 4096)
        try disk.remove("ballast")
        try artifacts.writeDurably(row.job.id, .result, text: text)
        first.close()
        try disk.fill("ballast")
        #expect(faultCode { _ = try fixture.open() } == "storage-full")
        try disk.remove("ballast")
        let second = try fixture.open()
        #expect(try second.rowBlocking(row.job.id)?.job.state == .starting)
        second.close()
    }
}
