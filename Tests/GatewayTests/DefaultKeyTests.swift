import Foundation
import SlipwayCore
import SlipwayGateway
import TestSupport
import Testing

@Suite("The key that a gateway makes for its own machine")
struct DefaultKeyTests {
    private let folder: TemporaryFolder
    private let store: JobStore
    private let keys: StoreKeyDirectory
    private var fallback: String { folder.path + "/data/credentials" }

    init() throws {
        folder = try TemporaryFolder()
        store = try JobStore(
            options: JobStore.Options(
                path: folder.makeFolder("data") + "/jobs.sqlite", busyTimeoutMilliseconds: 2000, walBytes: 256 * 1024,
                commitBatchMax: 256, queueMax: 10_000, readers: 1, flushIntervalMilliseconds: 3_600_000,
                flushDelayMilliseconds: 3_600_000, flushBatch: 100, checkLimitBytes: 64 << 20),
            artifacts: ArtifactStore(options: .init(folder: folder.path + "/data/artifacts")))
        keys = StoreKeyDirectory(store: store)
    }

    private func start(_ credentials: String, makesKey: Bool = false) async throws -> DefaultKey {
        try await keys.prepareDefaultTenant(
            url: "http://127.0.0.1:1", credentialsPath: folder.path + "/" + credentials, fallbackPath: fallback,
            makesKey: makesKey)
    }

    /// Whether the key of a credentials file opens this gateway.
    private func opens(_ path: String?) async throws -> Bool {
        let place = try #require(path)
        let saved = try #require(try Credentials.load(from: place))
        guard let known = try await keys.key(withHash: APIKey.hash(of: saved.key)) else { return false }
        return !known.isRevoked && (known.expiresAt.map { $0 > Date() } ?? true)
    }

    /// Adds a key for administration that is saved nowhere, and gives its name.
    private func addAdministrator(_ made: APIKey = APIKey(), expiresAt: Date? = nil) async throws -> String {
        try await store.perform(.addTenant(TenantRecord(id: .default, createdAt: Date())))
        try await store.perform(
            .addKey(
                APIKeyRecord(
                    id: made.id, tenant: .default, hash: made.hash, scopes: ["admin"], createdAt: Date(),
                    expiresAt: expiresAt)))
        return made.id
    }

    @Test("only the first start makes one, wherever later ones look for it; another is made on request")
    func first() async throws {
        defer { store.close() }
        let first = try await start("a")
        #expect((first.path, first.isNew) == (folder.path + "/a", true))
        #expect(try await opens(first.path))
        for place in ["b", "c"] {
            let later = try await start(place)
            #expect((later.path, later.isNew) == (nil, false))
        }
        #expect(try await store.keys().count == 1)
        #expect(try await start("a").path == first.path)
        let further = try await start("b", makesKey: true)
        #expect((further.path, further.isNew) == (folder.path + "/b", true))
        #expect(try await opens(further.path))
        #expect(try await opens(first.path))
        #expect(try await store.keys().count == 2)
    }

    @Test("a key that has ended is neither announced nor replaced while somebody else can make keys")
    func ended() async throws {
        defer { store.close() }
        let revoked = try #require(try await start("a").path)
        let id = try #require(try await store.keys().first?.id)
        let other = try await addAdministrator()
        try await store.perform(.revokeKey(id, tenant: .default, at: Date()))
        #expect(try await start("a").path == nil)
        #expect(try await store.keys().count == 2)
        let expired = APIKey()
        _ = try await addAdministrator(expired, expiresAt: Date() - 1)
        try Credentials(url: "http://127.0.0.1:1", key: expired.text, tenant: "default").write(to: folder.path + "/b")
        #expect(try await start("b").path == nil)
        #expect(try await store.keys().count == 3)
        try await store.perform(.revokeKey(other, tenant: .default, at: Date()))
        let made = try await start("a")
        #expect((made.path, made.isNew) == (revoked, true))
        #expect(try await opens(revoked))
    }

    @Test("where the user's file cannot be written, the data folder has the key")
    func unwritable() async throws {
        defer { store.close() }
        try folder.write("file", "")
        let made = try await start("file/credentials")
        #expect((made.path, made.isNew) == (fallback, true))
        #expect(made.reason == folder.path + "/file/credentials cannot be written")
        #expect(try await opens(fallback))
        #expect(try await start("file/credentials").path == fallback)
        #expect(try await store.keys().count == 1)
    }

    @Test("a key that can be saved nowhere is not made")
    func nowhere() async throws {
        defer { store.close() }
        try folder.write("file", "")
        await #expect(throws: EngineError.self) {
            try await keys.prepareDefaultTenant(
                url: "http://127.0.0.1:1", credentialsPath: folder.path + "/file/a",
                fallbackPath: folder.path + "/file/b")
        }
        #expect(try await store.keys().isEmpty)
    }

    @Test("another gateway's file is left alone, and named")
    func foreign() async throws {
        defer { store.close() }
        let path = folder.path + "/a"
        let theirs = Credentials(url: "http://127.0.0.1:2", key: APIKey().text, tenant: "default")
        try theirs.write(to: path)
        for isNew in [true, false] {
            let made = try await start("a")
            #expect((made.path, made.isNew) == (fallback, isNew))
            #expect(made.reason == "\(path) belongs to another gateway")
        }
        #expect(try Credentials.load(from: path) == theirs)
        #expect(try await store.keys().count == 1)
    }
}
