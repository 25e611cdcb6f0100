import Foundation
import SlipwayCore
import Testing

@Suite("Job store")
struct JobStoreTests {
    // A property of the suite, so that it outlives each test.
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    @Test("commits are synchronous = FULL on the connection that writes")
    func synchronousFull() throws {
        let store = try fixture.open()
        #expect(try store.synchronousLevel() == 2)
        store.close()
        #expect(try fixture.open().synchronousLevel() == 2)
    }

    @Test("everything about a job comes back, before and after a restart")
    func roundTrip() async throws {
        var store = try fixture.open()
        let input = try PayloadCodec.pack(Array("input".utf8))
        var row = StoreSamples.row(name: "na\"me\n", labels: ["team": "a", "é": "ö"], maxAttempts: 3, input: input)
        row.priority = -5
        row.timeoutMilliseconds = 30_000
        row.queueDeadlineMilliseconds = 1_750_000_600_000
        row.options = PayloadSamples.noise(500)
        #expect(try await store.perform(.insert([row], idempotency: nil)) == .done)
        let id = row.job.id
        #expect(try await store.perform(StoreSamples.claim(id)) == .applied(true))
        #expect(try await store.perform(StoreSamples.run(id)) == .changed(1))
        let result = try PayloadCodec.pack(Array("42".utf8))
        var finish = JobFinish(
            attempt: .init(id: id, attempt: 1), state: .error,
            error: JobError(kind: .exception, type: "ValueError", message: "no", traceback: "tb"), exitCode: 3,
            usage: .init(cpuSeconds: 0.25, maxRSSBytes: 1 << 30),
            timings: .init(queued: 0.1, start: 0.2, run: 0.3, total: 0.6), finishedAt: StoreSamples.moment + 1)
        finish.result = StoredArtifact(result, inline: true)
        finish.resultMedia = .pickle
        finish.journal = StoredArtifact(input, inline: false)
        #expect(try await store.perform(.finish(finish)) == .applied(true))
        store.close()
        store = try fixture.open()
        let back = try #require(try await store.row(id))
        let job = back.job
        #expect(job.id == id && job.tenant == .default && job.name == "na\"me\n" && job.kind == .source)
        #expect(job.state == .error && job.attempt == 1 && job.handler == "docker" && job.start == .stem)
        #expect(job.sandbox == "sbx_2" && job.exitCode == 3 && !job.cancelRequested)
        #expect(job.createdAt == StoreSamples.moment && job.startedAt == StoreSamples.moment)
        #expect(job.finishedAt == StoreSamples.moment + 1)
        #expect(job.labels == ["team": "a", "é": "ö"] && job.usage == finish.usage && job.error == finish.error)
        #expect(job.timings == finish.timings)
        #expect(back.maxAttempts == 3 && back.priority == -5 && back.backoffMilliseconds == 1000)
        #expect(back.timeoutMilliseconds == 30_000 && back.queueDeadlineMilliseconds == 1_750_000_600_000)
        #expect(back.options == row.options && back.nonce == [UInt8](repeating: 9, count: 16))
        #expect(back.bootID == "boot" && back.resultMedia == .pickle)
        #expect(back.journal?.digest == input.digest && back.journal?.inline == nil)
        let stored = try #require(back.result)
        #expect(try store.text(of: stored, id, .result) == result.text)
        #expect(try store.text(of: try #require(back.input), id, .input) == input.text)
        #expect(try await store.job(id, tenant: .default)?.state == .error)
        #expect(try await store.job(id, tenant: try #require(TenantID("other"))) == nil)
        #expect(try await store.row(JobID()) == nil)
    }

    @Test("one idempotency key makes one job, whoever comes first, also after the job is gone")
    func idempotency() async throws {
        let store = try fixture.open()
        let key = IdempotencyClaim(key: "k", requestHash: [1, 2, 3])
        for round in 0..<10 {
            var claim = key
            claim.key = "k\(round)"
            let outcomes = try await withThrowingTaskGroup(of: (JobID, StoreOutcome).self) { [claim] group in
                for _ in 0..<20 {
                    group.addTask {
                        let row = StoreSamples.row()
                        return (row.job.id, try await store.perform(.insert([row], idempotency: claim)))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let made = outcomes.filter { $0.1 == .done }.map(\.0)
            #expect(made.count == 1)
            #expect(outcomes.filter { $0.1 == .replay(made) }.count == 19)
        }
        #expect(try await store.list(JobQuery(limit: 500), tenant: .default).jobs.count == 10)

        let rows = [StoreSamples.row(), StoreSamples.row()]
        #expect(try await store.perform(.insert(rows, idempotency: key)) == .done)
        let other = IdempotencyClaim(key: "k", requestHash: [1, 2, 4])
        #expect(try await store.perform(.insert([StoreSamples.row()], idempotency: other)) == .keyReused)
        let tenant = try #require(TenantID("other"))
        #expect(try await store.perform(.insert([StoreSamples.row(tenant: tenant)], idempotency: key)) == .done)
        for row in rows {
            try await store.perform(StoreSamples.finish(row.job.id, 0, .cancelled))
            #expect(try await store.perform(.delete(row.job.id, tenant: .default)) == .applied(true))
        }
        let again = try await store.perform(.insert([StoreSamples.row()], idempotency: key))
        #expect(again == .replay(rows.map(\.job.id)))
        #expect(try await store.perform(.forgetKeys(before: StoreSamples.moment)) == .changed(0))
        #expect(try await store.perform(.forgetKeys(before: StoreSamples.moment + 1)) == .changed(12))
    }

    @Test("only terminal jobs of the tenant are removed, with their files")
    func delete() async throws {
        let store = try fixture.open()
        let payload = try PayloadCodec.pack([1, 2, 3])
        let row = StoreSamples.row(labels: ["a": "b"], claimed: true, input: payload)
        let id = row.job.id
        try await store.perform(.insert([row], idempotency: nil))
        try store.flush()
        #expect(FileManager.default.fileExists(atPath: fixture.file(id, "in").path))
        #expect(try await store.perform(.delete(id, tenant: .default)) == .applied(false))
        #expect(try await store.perform(.purge([id])) == .changed(0))
        try await store.perform(StoreSamples.finish(id, result: payload))
        #expect(try await store.perform(.delete(id, tenant: try #require(TenantID("other")))) == .missing)
        #expect(try await store.perform(.delete(JobID(), tenant: .default)) == .missing)
        #expect(try await store.perform(.delete(id, tenant: .default)) == .applied(true))
        #expect(try await store.perform(.delete(id, tenant: .default)) == .missing)
        #expect(try await store.row(id) == nil)
        #expect(try await store.pendingCopies() == 0)
        try store.flush()
        #expect(!FileManager.default.fileExists(atPath: fixture.file(id, "in").path))
        #expect(!FileManager.default.fileExists(atPath: fixture.file(id, "out").path))
        #expect(try await store.list(JobQuery(labels: ["a": "b"]), tenant: .default).jobs.isEmpty)
    }

    @Test("old jobs are found and purged, younger and running ones stay")
    func purge() async throws {
        let store = try fixture.open()
        let rows = (0..<5).map { _ in StoreSamples.row(claimed: true) }
        try await store.perform(.insert(rows, idempotency: nil))
        for row in rows.prefix(3) { try await store.perform(StoreSamples.finish(row.job.id)) }
        #expect(try await store.finished(before: StoreSamples.moment, limit: 10).isEmpty)
        let old = try await store.finished(before: StoreSamples.moment + 1, limit: 2)
        #expect(old == rows.prefix(2).map(\.job.id))
        #expect(try await store.perform(.purge(old + [rows[4].job.id])) == .changed(2))
        #expect(try await store.countByState(tenant: .default) == [.completed: 1, .starting: 2])
        #expect(try await store.countUnfinished(tenant: .default) == [.starting: 2])
        #expect(try store.unfinishedBlocking().map(\.job.id) == rows.suffix(2).map(\.job.id))
    }

    @Test("sandboxes, tenants, keys and values are kept")
    func administration() async throws {
        let store = try fixture.open()
        let acme = try #require(TenantID("acme"))
        let moment = StoreSamples.moment
        #expect(try await store.perform(.addTenant(.init(id: acme, createdAt: moment))) == .applied(true))
        #expect(try await store.perform(.addTenant(.init(id: acme, createdAt: moment + 9))) == .applied(false))
        #expect(try await store.perform(.setSuspended(acme, true)) == .applied(true))
        #expect(try await store.tenant(acme) == TenantRecord(id: acme, createdAt: moment, suspended: true))
        let hash = PayloadSamples.noise(32)
        let key = APIKeyRecord(
            id: "key_1", tenant: acme, hash: hash, scopes: ["read", "submit"], createdAt: moment,
            expiresAt: moment + 60)
        #expect(try await store.perform(.addKey(key)) == .done)
        #expect(try await store.key(hash: hash) == key)
        #expect(try await store.key(hash: PayloadSamples.noise(32, seed: 2)) == nil)
        #expect(try await store.perform(.revokeKey("key_1", tenant: .default, at: moment)) == .applied(false))
        #expect(try await store.perform(.revokeKey("key_1", tenant: acme, at: moment)) == .applied(true))
        #expect(try await store.key(hash: hash)?.revokedAt == moment)
        #expect(try await store.keys(tenant: .default).isEmpty)
        let orphan = APIKeyRecord(id: "key_2", tenant: .default, hash: [1], scopes: [], createdAt: moment)
        await #expect(throws: EngineError.self) { try await store.perform(.addKey(orphan)) }

        var sandbox = SandboxRecord(id: "sbx_1", runtime: "docker", poolKey: "p", pid: 7, createdAt: moment)
        try await store.perform(.putSandbox(sandbox))
        sandbox.tenant = acme
        try await store.perform(.putSandbox(sandbox))
        #expect(try store.sandboxesBlocking() == [sandbox])
        #expect(try await store.perform(.removeSandboxes(["sbx_1", "sbx_2"])) == .changed(1))
        #expect(try store.sandboxesBlocking().isEmpty)
        #expect(try store.metaBlocking("engine_id") == nil)
        try store.performBlocking(.setMeta(key: "engine_id", value: "a"))
        try store.performBlocking(.setMeta(key: "engine_id", value: "b"))
        #expect(try store.metaBlocking("engine_id") == "b")
    }
}
