import Foundation
import SlipwayCore
import TestSupport
import Testing

@Suite("Store file")
struct StoreFileTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    private var path: String { fixture.options.path }

    /// Opening is refused with an error that names the file, and leaves the file as it is.
    private func expectRefusal(_ what: String) throws {
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        let error = #expect(throws: EngineError.self) { try fixture.open() }
        #expect(error?.code == .storage)
        #expect(error?.message.contains(path) == true)
        #expect(error?.message.contains(what) == true, "\(error?.message ?? "")")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    private func makeStore(jobs: Int) throws {
        let store = try fixture.open()
        try store.performBlocking(.insert((0..<jobs).map { _ in StoreSamples.row() }, idempotency: nil))
        store.close()
    }

    @Test("the files are for their owner only")
    func modes() throws {
        let store = try fixture.open()
        try store.performBlocking(.insert([StoreSamples.row()], idempotency: nil))
        for name in [path, path + "-wal", path + "-shm"] {
            #expect(try FileManager.default.attributesOfItem(atPath: name)[.posixPermissions] as? Int == 0o600)
        }
        #expect(!FileManager.default.fileExists(atPath: path + ".new"))
    }

    @Test("a text, an empty file and a cut-off header are refused", arguments: ["hello", "", "SQLite format 3\0"])
    func noDatabase(_ content: String) throws {
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
        try expectRefusal("is not a database")
    }

    @Test("another program's database is refused")
    func foreign() throws {
        try ChildProcess.python(
            "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('create table t(x)'); c.commit()", path)
        try expectRefusal("another program")
    }

    @Test("a database of a newer version is refused")
    func newer() throws {
        try makeStore(jobs: 1)
        try ChildProcess.python(
            """
            import sqlite3, sys
            c = sqlite3.connect(sys.argv[1])
            c.execute("insert into grdb_migrations values ('999-future')")
            c.commit()
            """, path)
        try expectRefusal("newer version")
    }

    @Test("a database of an older version is brought up to date, with its unfinished jobs")
    func older() async throws {
        try makeStore(jobs: 3)
        try ChildProcess.python(
            """
            import sqlite3, sys
            c = sqlite3.connect(sys.argv[1])
            c.execute("delete from grdb_migrations where identifier = '5-unfinished'")
            c.execute("drop index jobs_unfinished")
            c.execute("create index jobs_unfinished on jobs (tenant, state, seq)"
                " where state in ('queued', 'starting', 'running')")
            c.commit()
            """, path)
        let store = try fixture.open()
        #expect(try store.temporaryTablesBlocking().isEmpty)
        #expect(try store.unfinishedBlocking().count == 3)
        let id = try #require(try store.unfinishedBlocking().first?.job.id)
        #expect(try await store.perform(StoreSamples.finish(id, 0, .cancelled)) == .applied(true))
        #expect(try await store.countUnfinished(tenant: .default) == [.queued: 2])
        #expect(try store.integrityProblemsBlocking().isEmpty)
    }

    @Test("no statement on a job's way needs a temporary table")
    func plans() throws {
        #expect(try fixture.open().temporaryTablesBlocking().isEmpty)
    }

    @Test("a damaged database is refused")
    func damaged() throws {
        try makeStore(jobs: 500)
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let size = try handle.seekToEnd()
        for offset in stride(from: UInt64(4096), to: size, by: 4096) {
            try handle.seek(toOffset: offset)
            try handle.write(contentsOf: Data(PayloadSamples.noise(2048, seed: offset)))
        }
        try handle.close()
        try expectRefusal("is damaged")
    }

    @Test("a database cut in half is refused")
    func cut() throws {
        try makeStore(jobs: 500)
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let size = try handle.seekToEnd()
        try handle.truncate(atOffset: size / 2 / 4096 * 4096)
        try handle.close()
        try expectRefusal("is damaged")
    }

    @Test("a start that died while making the file is made good")
    func halfMade() throws {
        try Data("half".utf8).write(to: URL(fileURLWithPath: path + ".new"))
        let store = try fixture.open()
        try store.performBlocking(.insert([StoreSamples.row()], idempotency: nil))
        #expect(try store.unfinishedBlocking().count == 1)
    }

    @Test("another process's lock is waited for, then reported, and work resumes by itself")
    func locked() throws {
        fixture.options.busyTimeoutMilliseconds = 50
        let store = try fixture.open()
        let holder = try ChildProcess.pythonHolding(
            """
            import sqlite3, sys
            c = sqlite3.connect(sys.argv[1], isolation_level=None)
            c.execute("begin immediate")
            print("ready", flush=True)
            sys.stdin.read()
            """, path)
        let row = StoreSamples.row()
        let error = #expect(throws: EngineError.self) {
            try store.performBlocking(.insert([row], idempotency: nil))
        }
        #expect(error?.code == .unavailable)
        #expect(error?.retryAfterSeconds != nil)
        #expect(try store.rowBlocking(row.job.id) == nil)
        holder.release()
        #expect(try store.performBlocking(.insert([row], idempotency: nil)) == .done)
    }

    @Test("a closed store refuses changes and closes twice without harm")
    func closed() throws {
        let store = try fixture.open()
        store.close()
        store.close()
        let error = #expect(throws: EngineError.self) {
            try store.performBlocking(.insert([StoreSamples.row()], idempotency: nil))
        }
        #expect(error?.code == .draining)
        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    }
}
