import Foundation
import SlipwayCore
import TestSupport
import Testing

/// When payloads become files.
@Suite("Store flusher") struct StoreFlusherTests {
    /// Commits a payload every few milliseconds, until it is cancelled.
    private func load(_ store: JobStore) -> Task<Void, any Error> {
        Task.detached {
            let input = try PayloadCodec.pack(PayloadSamples.noise(100))
            while !Task.isCancelled {
                try await store.perform(.insert([StoreSamples.row(claimed: true, input: input)], idempotency: nil))
                // Cancelled here it has done its work, too.
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
    }

    private func files(_ fixture: StoreFixture) -> Int {
        let paths = (try? FileManager.default.subpathsOfDirectory(atPath: fixture.artifacts.path)) ?? []
        return paths.count { $0.hasSuffix(".z64") }
    }

    @Test("when no change comes payloads become files, however long they may wait otherwise")
    func quiet() async throws {
        let fixture = try StoreFixture(flushIntervalMilliseconds: 20)
        let store = try fixture.open()
        let load = load(store)
        try await Task.sleep(for: .milliseconds(100))
        load.cancel()
        try await load.value
        try await waitUntil("all are files", within: .seconds(180)) { try await store.pendingCopies() == 0 }
        #expect(files(fixture) == (try store.unfinishedBlocking().count))
    }

    @Test(
        "while changes keep coming they become files when they have waited for long, or are many",
        arguments: [true, false])
    func busy(isLate: Bool) async throws {
        let fixture = try StoreFixture(flushIntervalMilliseconds: 20)
        fixture.options.flushDelayMilliseconds = isLate ? 50 : 3_600_000
        fixture.options.flushBatch = isLate ? 1_000_000 : 20
        let store = try fixture.open()
        let load = load(store)
        try await waitUntil("some are files, more than once", within: .seconds(180)) { files(fixture) > 40 }
        load.cancel()
        try await load.value
        store.close()
        #expect(try fixture.open().integrityProblemsBlocking().isEmpty)
    }

    @Test("whoever wants everything to be files has it, under load, too")
    func hurried() async throws {
        let fixture = try StoreFixture()
        let store = try fixture.open()
        let input = try PayloadCodec.pack(PayloadSamples.noise(100))
        let row = StoreSamples.row(claimed: true, input: input)
        try await store.perform(.insert([row], idempotency: nil))
        let load = load(store)
        try store.flush()
        #expect(FileManager.default.fileExists(atPath: fixture.file(row.job.id, "in").path))
        load.cancel()
        try await load.value
    }

    @Test("a file that cannot be written keeps no other payload in the database, and no removed one on the disk")
    func poisoned() async throws {
        let fixture = try StoreFixture(flushIntervalMilliseconds: 20)
        let input = try PayloadCodec.pack(PayloadSamples.noise(100))
        // Five of one folder, more than are written at a time, and others of other folders.
        let byShard = Dictionary(
            grouping: (0..<8000).map { _ in StoreSamples.row(claimed: true, input: input) },
            by: { String($0.job.id.description.dropFirst(14).prefix(2)) })
        let shard = try #require(byShard.first { $0.value.count >= 5 })
        let others = byShard.filter { $0.key != shard.key }.values.prefix(7).compactMap(\.first)
        let ended = try #require(others.last)
        let rows = Array(shard.value.prefix(5)) + others
        // Where a folder is to be made something else lies already.
        let place = fixture.artifacts.appendingPathComponent(shard.key)
        try FileManager.default.createDirectory(at: fixture.artifacts, withIntermediateDirectories: true)
        try Data().write(to: place)
        let store = try fixture.open()
        try await store.perform(.insert(rows, idempotency: nil))
        try await waitUntil("all others are files", within: .seconds(180)) {
            try await store.pendingCopies() == 5
        }
        for row in others {
            #expect(FileManager.default.fileExists(atPath: fixture.file(row.job.id, "in").path))
        }
        try await store.perform(StoreSamples.finish(ended.job.id))
        #expect(try await store.perform(.delete(ended.job.id, tenant: ended.job.tenant)) == .applied(true))
        try await waitUntil("the removed job's file is gone", within: .seconds(180)) {
            !FileManager.default.fileExists(atPath: fixture.file(ended.job.id, "in").path)
        }
        // Once there is room for them, they become files, too.
        try FileManager.default.removeItem(at: place)
        try await waitUntil("the last ones are files", within: .seconds(180)) { try await store.pendingCopies() == 0 }
    }
}
