import Foundation
import GRDB

/// The durable record of jobs: one SQLite file, one thread that writes, a pool of connections that read.
///
/// A change is durable when its completion comes: the write-ahead log is synchronised by every commit, and one commit
/// serves all changes that wait (`StoreWriter`). Small payloads ride in it and become files later (`StoreFlusher`).
package final class JobStore: Sendable {
    /// What the store must know; the configuration has the defaults.
    package struct Options: Sendable {
        /// The database file; its folder must exist.
        package var path: String
        /// How long a lock of another process is waited for.
        package var busyTimeoutMilliseconds: Int
        /// The size to which the write-ahead log is grown at the start, and from which it is copied back.
        package var walBytes: Int
        /// Operations in one commit at most.
        package var commitBatchMax: Int
        /// Operations that may wait.
        package var queueMax: Int
        /// Connections that read.
        package var readers: Int
        /// How often payloads are turned into durable files, unless changes keep coming.
        package var flushIntervalMilliseconds: Int
        /// The longest time until they are while changes keep coming.
        package var flushDelayMilliseconds: Int
        /// Files that are made durable at once.
        package var flushBatch: Int
        /// Database size up to which all pages are checked at the start.
        package var checkLimitBytes: Int
        /// Whether the thread that commits goes before others where the process may have it so.
        package var isUrgent = false

        package init(
            path: String, busyTimeoutMilliseconds: Int, walBytes: Int, commitBatchMax: Int, queueMax: Int,
            readers: Int, flushIntervalMilliseconds: Int, flushDelayMilliseconds: Int, flushBatch: Int,
            checkLimitBytes: Int
        ) {
            self.path = path
            self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
            self.walBytes = walBytes
            self.commitBatchMax = commitBatchMax
            self.queueMax = queueMax
            self.readers = readers
            self.flushIntervalMilliseconds = flushIntervalMilliseconds
            self.flushDelayMilliseconds = flushDelayMilliseconds
            self.flushBatch = flushBatch
            self.checkLimitBytes = checkLimitBytes
        }
    }

    /// The folder of the artifacts.
    package let artifacts: ArtifactStore
    let pool: DatabasePool
    let writer: StoreWriter
    let flusher: StoreFlusher
    let errors: StoreErrors
    private let folder: String

    /// Opens the store, rewrites every artifact whose file may be torn, and starts its threads.
    ///
    /// - Throws: `EngineError` with code `storage` that names the file when it is damaged, of another program or of a
    ///   newer version; it is left as it was.
    package init(options: Options, artifacts: ArtifactStore) throws {
        self.artifacts = artifacts
        let folder = (options.path as NSString).deletingLastPathComponent
        self.folder = folder
        errors = StoreErrors(freeBytes: { try? Self.freeBytes(folder, artifacts) })
        do {
            try StoreFile.prepare(path: options.path, checkLimitBytes: options.checkLimitBytes)
            pool = try Self.openPool(options)
            try StoreSchema.migrator.migrate(pool)
            try Self.makeDurable(pool, options)
            Self.prewarm(pool, options)
            writer = StoreWriter(
                pool: pool, batchMax: options.commitBatchMax, queueMax: options.queueMax, isUrgent: options.isUrgent,
                errors: errors)
            flusher = try StoreFlusher(options: options, pool: pool, artifacts: artifacts, writer: writer)
            try writer.start()
        } catch {
            throw errors.translate(error)
        }
        flusher.recover()
        flusher.start()
    }

    /// How many bytes the file system has left for us; of those of the database and of the artifacts the one with less.
    ///
    /// - Throws: `EngineError` where one of them cannot be asked.
    package func freeBytes() throws -> Int { try Self.freeBytes(folder, artifacts) }

    private static func freeBytes(_ folder: String, _ artifacts: ArtifactStore) throws -> Int {
        try min(artifacts.freeBytes(), Folder.freeBytes(at: folder))
    }

    /// Hands a change over; `completion` is called exactly once after its commit, on the writer's thread, and must not
    /// block.
    package func submit(
        _ operation: StoreOperation, completion: @escaping @Sendable (Result<StoreOutcome, EngineError>) -> Void
    ) {
        writer.submit(operation, completion: completion)
    }

    /// Hands two changes over that are to share a commit; `completion` gets both outcomes, as above.
    package func submit(
        _ first: StoreOperation, _ second: StoreOperation,
        completion:
            @escaping @Sendable (Result<StoreOutcome, EngineError>, Result<StoreOutcome, EngineError>) -> Void
    ) {
        let earlier = OutcomeBox()
        let keep: StoreWriter.Completion = { outcome in earlier.result.withLock { $0 = outcome } }
        let answer: StoreWriter.Completion = { outcome in
            let missing = EngineError(.internalFault, "The job store gave no answer.")
            completion(earlier.result.withLock { $0 } ?? .failure(missing), outcome)
        }
        writer.submit([(first, keep), (second, answer)])
    }

    /// Makes a change and waits for its commit.
    @discardableResult
    package func perform(_ operation: StoreOperation) async throws -> StoreOutcome {
        try await withCheckedThrowingContinuation { continuation in
            writer.submit(operation) { continuation.resume(with: $0.mapError { $0 as any Error }) }
        }
    }

    /// Makes a change and blocks this thread until its commit; for starts and tools, never for the hot path.
    @discardableResult
    package func performBlocking(_ operation: StoreOperation) throws -> StoreOutcome {
        let done = DispatchSemaphore(value: 0)
        let box = OutcomeBox()
        writer.submit(operation) {
            box.result.withLock { [result = $0] slot in slot = result }
            done.signal()
        }
        done.wait()
        guard let result = box.result.withLock({ $0 }) else {
            throw EngineError(.internalFault, "The job store gave no answer.")
        }
        return try result.get()
    }

    /// Turns all waiting payloads into durable files now.
    package func flush() throws { try flusher.flushAll() }

    /// Completes what waits, makes files of waiting payloads and closes the database; it can be called again.
    package func close() {
        flusher.stop()
        writer.close()
        do {
            try pool.close()
        } catch {
            // Reads still run; the connections close when they end, and the next start recovers from the log.
        }
        flusher.closeConnection()
    }

    /// How many transactions were committed.
    package var commits: Int { writer.commits.load(ordering: .relaxed) }

    private static func openPool(_ options: Options) throws -> DatabasePool {
        var configuration = GRDB.Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(Double(options.busyTimeoutMilliseconds) / 1000)
        configuration.maximumReaderCount = max(1, options.readers)
        configuration.label = "slipway.store"
        return try DatabasePool(path: options.path, configuration: configuration)
    }

    /// Sets what GRDB's pool has just set otherwise: it prefers `synchronous = NORMAL`, which a loss of power undoes.
    private static func makeDurable(_ pool: DatabasePool, _ options: Options) throws {
        let full = 2
        let level = try pool.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
            // The flusher copies the log back off the commit path; this is for when it does not come to it.
            _ = try Int.fetchOne(db, sql: "PRAGMA wal_autocheckpoint = \(max(1000, options.walBytes / 4096 * 4))")
            return try Int.fetchOne(db, sql: "PRAGMA synchronous")
        }
        guard level == full else { throw EngineError(.storage, "SQLite does not take synchronous = FULL.") }
    }

    /// Gives the write-ahead log its size: extending a file costs twice as much as writing over it.
    private static func prewarm(_ pool: DatabasePool, _ options: Options) {
        let size = (try? FileManager.default.attributesOfItem(atPath: options.path + "-wal")[.size] as? Int) ?? 0
        guard size < options.walBytes else { return }
        do {
            try pool.write { db in
                try db.execute(sql: "INSERT INTO prewarm (data) VALUES (zeroblob(?))", arguments: [options.walBytes])
            }
            try pool.write { try $0.execute(sql: "DELETE FROM prewarm") }
            try pool.writeWithoutTransaction { _ = try $0.checkpoint(.restart) }
        } catch {
            // Only speed is lost; a full disk must not keep the store from opening for reads.
        }
    }

    /// The writer connection's `PRAGMA synchronous`: 2 is FULL.
    package func synchronousLevel() throws -> Int {
        try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } ?? -1
    }
}
