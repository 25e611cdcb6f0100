import Foundation
import SlipwayCore
import Synchronization
import Testing

@Suite("Crash images")
struct CrashImageTests {
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture()
    }

    /// Every artifact of every job reads back whole.
    private func expectArtifacts(_ store: JobStore, _ ids: [JobID]) throws {
        for id in ids {
            guard let row = try store.rowBlocking(id) else { continue }
            for (artifact, kind) in [(row.input, ArtifactKind.input), (row.result, .result)] {
                guard let artifact else { continue }
                let text = try store.artifacts.read(id, kind, digest: artifact.digest, limit: artifact.encodedSize)
                let plain = try PayloadCodec.unpack(
                    text: text, inflatedLimit: artifact.plainSize, encodedLimit: artifact.encodedSize)
                #expect(plain.count == artifact.plainSize)
            }
        }
    }

    @Test("what was acknowledged before the crash is there, sound, with its artifacts; nothing ended twice")
    func midFlight() async throws {
        // No copy-back while an image is taken: then the log only grows, and a prefix of it is what a crash leaves.
        fixture.options.walBytes = 16 << 20
        let store = try fixture.open()
        let stop = Flag()
        let inserted = Journal()
        let finished = Journal()
        let writers = (0..<4).map { seed in
            Task.detached {
                // Bounded: the images are read back whole, and debug builds are slow at it.
                for _ in 0..<150 where !stop.isSet {
                    let input = try PayloadCodec.pack(PayloadSamples.noise(700, seed: UInt64(seed)))
                    let row = StoreSamples.row(claimed: true, input: input)
                    try await store.perform(.insert([row], idempotency: nil))
                    inserted.add(row.job.id)
                    try await store.perform(StoreSamples.finish(row.job.id, result: input))
                    finished.add(row.job.id)
                }
            }
        }
        let flusher = Task.detached { while !stop.isSet { try store.flush() } }
        var images: [(StoreFixture, [JobID], [JobID])] = []
        for round in 1...4 {
            while finished.all.count < round * 20 { await Task.yield() }
            let (ended, begun) = (finished.all, inserted.all)
            images.append((try fixture.crashImage(), begun, ended))
        }
        stop.set()
        for writer in writers { try await writer.value }
        try await flusher.value
        for (image, begun, ended) in images {
            let copy = try image.open()
            #expect(try copy.integrityProblemsBlocking().isEmpty)
            for id in begun { #expect(try copy.rowBlocking(id) != nil) }
            for id in ended {
                #expect(try copy.rowBlocking(id)?.job.state == .completed)
                #expect(try copy.performBlocking(StoreSamples.finish(id, 1, .error)) == .applied(false))
            }
            #expect(try await copy.pendingCopies() == 0)
            try expectArtifacts(copy, inserted.all)
        }
    }

    @Test("a log cut at any place loses its end only")
    func cutLog() throws {
        // No prewarmed space, so that the log's size is what was written, and too little of it to be copied back.
        fixture.options.walBytes = 0
        let store = try fixture.open()
        let payload = try PayloadCodec.pack(PayloadSamples.noise(2000))
        var ids: [JobID] = []
        for _ in 0..<30 {
            let row = StoreSamples.row(claimed: true, input: payload)
            ids.append(row.job.id)
            try store.performBlocking(.insert([row], idempotency: nil))
        }
        var counts: [Int] = []
        for seed in 1...12 {
            let image = try fixture.crashImage()
            let log = image.folder.appendingPathComponent("jobs.sqlite-wal")
            var bytes = try Data(contentsOf: log)
            let cut = bytes.count * seed / 12 - (seed % 3) * 700
            let tail = PayloadSamples.noise(max(0, bytes.count - cut), seed: UInt64(seed))
            bytes.replaceSubrange(cut..., with: seed % 2 == 0 ? tail : [])
            try bytes.write(to: log)
            let copy = try image.open()
            #expect(try copy.integrityProblemsBlocking().isEmpty)
            let there = try ids.map { try copy.rowBlocking($0) != nil }
            let count = there.prefix { $0 }.count
            counts.append(count)
            #expect(there.dropFirst(count).allSatisfy { !$0 })
            try expectArtifacts(copy, ids)
        }
        // The cuts did fall among the jobs.
        #expect(Set(counts).count > 6 && counts == counts.sorted(), "\(counts)")
    }

    @Test("artifacts that are torn, altered or missing are rewritten from their copies at the start")
    func tornArtifacts() throws {
        let store = try fixture.open()
        let payload = try PayloadCodec.pack(PayloadSamples.noise(2000))
        let rows = (0..<6).map { _ in StoreSamples.row(claimed: true, input: payload) }
        try store.performBlocking(.insert(rows, idempotency: nil))
        // As after a flush whose files were not yet durable when the power went: the rows still hold their copies.
        let ids = rows.map(\.job.id)
        try store.artifacts.writeLazily(ids.map { .init(id: $0, kind: .input, text: payload.text) })
        let image = try fixture.crashImage()
        try Data().write(to: image.file(ids[0], "in"))
        try Data(payload.text.prefix(100)).write(to: image.file(ids[1], "in"))
        try Data(payload.text.reversed()).write(to: image.file(ids[2], "in"))
        try FileManager.default.removeItem(at: image.file(ids[3], "in"))
        try FileManager.default.removeItem(at: image.file(ids[4], "in").deletingLastPathComponent())
        let copy = try image.open()
        for id in ids {
            #expect(try copy.rowBlocking(id)?.input?.inline == nil)
            #expect(try Array(Data(contentsOf: image.file(id, "in"))) == payload.text)
        }
    }

    @Test("an artifact that is altered later is noticed, never handed out")
    func alteredLater() throws {
        let store = try fixture.open()
        let payload = try PayloadCodec.pack(PayloadSamples.noise(2000))
        let row = StoreSamples.row(claimed: true, input: payload)
        let id = row.job.id
        try store.performBlocking(.insert([row], idempotency: nil))
        try store.flush()
        let stored = try #require(try store.rowBlocking(id)?.input)
        #expect(stored.inline == nil)
        #expect(try store.text(of: stored, id, .input) == payload.text)
        try Data(payload.text.dropLast(4)).write(to: fixture.file(id, "in"))
        #expect(faultCode { _ = try store.text(of: stored, id, .input) } == "artifact-corrupt")
    }
}

/// A switch that tasks look at.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}

/// Jobs in the order in which something was acknowledged for them.
final class Journal: Sendable {
    private let ids = Mutex<[JobID]>([])

    var all: [JobID] { ids.withLock { $0 } }
    func add(_ id: JobID) { ids.withLock { $0.append(id) } }
}
