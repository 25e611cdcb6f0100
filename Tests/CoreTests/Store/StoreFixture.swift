import Foundation
import SlipwayCore
import Testing

/// A data folder with a store in it; the folder goes with the fixture.
final class StoreFixture {
    let folder: URL
    private let ownsFolder: Bool
    /// Whoever owns the folder otherwise; let go of after the stores are closed, which would make it anew.
    private let owner: AnyObject?
    var options: JobStore.Options
    private(set) var opened: [JobStore] = []

    /// Uses `folder` of an `owner`, or makes one of its own.
    init(
        folder given: URL? = nil, of owner: AnyObject? = nil, flushIntervalMilliseconds: Int = 3_600_000,
        commitBatchMax: Int = 256
    ) throws {
        self.owner = owner
        ownsFolder = given == nil
        folder = given ?? FileManager.default.temporaryDirectory.appendingPathComponent("store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        options = JobStore.Options(
            path: folder.appendingPathComponent("jobs.sqlite").path, busyTimeoutMilliseconds: 2000,
            walBytes: 256 * 1024, commitBatchMax: commitBatchMax, queueMax: 10_000, readers: 4,
            flushIntervalMilliseconds: flushIntervalMilliseconds, flushDelayMilliseconds: 3_600_000, flushBatch: 100,
            checkLimitBytes: 64 << 20)
    }

    deinit {
        for store in opened { store.close() }
        // A folder left over in the temporary folder harms nobody.
        if ownsFolder { try? FileManager.default.removeItem(at: folder) }
    }

    /// The folder of the artifacts.
    var artifacts: URL { folder.appendingPathComponent("artifacts") }

    /// Opens the store; closed with the fixture at the latest.
    func open() throws -> JobStore {
        let store = try JobStore(
            options: options, artifacts: ArtifactStore(options: .init(folder: artifacts.path)))
        opened.append(store)
        return store
    }

    /// Copies database and log, then the artifacts: what a crash at this moment would leave.
    func crashImage() throws -> StoreFixture {
        let image = try StoreFixture()
        for name in ["jobs.sqlite", "jobs.sqlite-wal", "artifacts"] {
            let source = folder.appendingPathComponent(name)
            guard FileManager.default.fileExists(atPath: source.path) else { continue }
            try FileManager.default.copyItem(at: source, to: image.folder.appendingPathComponent(name))
        }
        return image
    }

    /// The file of an artifact.
    func file(_ id: JobID, _ kind: String) -> URL {
        let shard = String(id.description.dropFirst(14).prefix(2))
        return artifacts.appendingPathComponent(shard).appendingPathComponent("\(id).\(kind).z64")
    }
}

/// Rows and changes with few words.
enum StoreSamples {
    static let moment = Date(timeIntervalSince1970: 1_750_000_000.123)

    static func row(
        tenant: TenantID = .default, name: String? = nil, labels: [String: String] = [:], maxAttempts: Int = 1,
        claimed: Bool = false, input: PackedPayload? = nil
    ) -> JobRow {
        let job = Job(
            id: JobID(), tenant: tenant, name: name, kind: .source, handler: "docker",
            state: claimed ? .starting : .queued, attempt: claimed ? 1 : 0, createdAt: moment,
            start: claimed ? .warm : nil, sandbox: claimed ? "sbx_1" : nil, labels: labels)
        return JobRow(
            job: job, maxAttempts: maxAttempts, backoffMilliseconds: 1000, priority: 0,
            options: Array("{}".utf8), nonce: claimed ? [UInt8](repeating: 7, count: 16) : nil,
            input: input.map { StoredArtifact($0, inline: true) })
    }

    static func claim(_ id: JobID, _ attempt: Int = 1) -> StoreOperation {
        .claim(
            JobClaim(
                attempt: .init(id: id, attempt: attempt), sandbox: "sbx_2", nonce: [UInt8](repeating: 9, count: 16),
                start: .stem, bootID: "boot", at: moment))
    }

    static func run(_ id: JobID, _ attempt: Int = 1) -> StoreOperation {
        .markRunning([.init(.init(id: id, attempt: attempt), at: moment)])
    }

    static func finish(
        _ id: JobID, _ attempt: Int = 1, _ state: JobState = .completed, result: PackedPayload? = nil
    ) -> StoreOperation {
        .finish(
            JobFinish(
                attempt: .init(id: id, attempt: attempt), state: state,
                error: state == .error ? JobError(kind: .exception, type: "ValueError", message: "no") : nil,
                timings: .init(queued: 0.1, start: 0.2, run: 0.3, total: 0.6), finishedAt: moment,
                result: result.map { StoredArtifact($0, inline: true) }, resultMedia: result == nil ? nil : .json))
    }

    static func requeue(_ id: JobID, _ attempt: Int = 1, same: Bool) -> StoreOperation {
        .requeue(.init(id: id, attempt: attempt), notBeforeMilliseconds: 5, sameAttempt: same)
    }
}
