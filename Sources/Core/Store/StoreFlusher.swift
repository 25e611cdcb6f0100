import Dispatch
import Foundation
import GRDB
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The thread that works behind the commits: it turns inline copies into durable files, removes the files of removed
/// jobs, and copies the write-ahead log back into the database.
///
/// Copies are read from the database, never held in memory: recovery after a crash is the same code.
final class StoreFlusher: Sendable {
    private struct Copy: Sendable {
        let key: Int64
        let item: ArtifactStore.Item
    }

    /// Where the writer was when a pass began.
    private struct Pass {
        let nanoseconds = DispatchTime.now().uptimeNanoseconds
        let copies: Int
        let bytes: Int

        init(_ writer: StoreWriter) {
            copies = writer.copies.load(ordering: .relaxed)
            bytes = writer.copiedBytes.load(ordering: .relaxed)
        }
    }

    /// Files that are made, or jobs whose files are removed, before jobs are given way: less than half a millisecond.
    private static let sliceFiles = 4
    private static let pauseMicroseconds: UInt32 = 1500
    /// How much a payload is taken to weigh where their number is the limit.
    private static let copyBytes = 4096

    private let pool: DatabasePool
    private let checkpoints: DatabaseQueue
    private let artifacts: ArtifactStore
    private let writer: StoreWriter
    private let batch: Int
    private let interval: DispatchTimeInterval
    private let delayNanoseconds: UInt64
    private let stopping = Atomic<Bool>(false)
    private let started = Atomic<Bool>(false)
    private let wake = DispatchSemaphore(value: 0)
    private let stopped = DispatchSemaphore(value: 0)
    /// One pass at a time: `flushAll` may come from any thread.
    private let passLock = Mutex<Void>(())
    /// Who waits for everything to be flushed, so that nothing is put off.
    private let hurried = Atomic<Int>(0)
    /// How many payloads had been committed when the last pass began.
    private let copiesAtPass = Atomic<Int>(0)
    private let commitsAtCheckpoint = Atomic<Int>(0)
    private let commitsPerCheckpoint: Int

    init(options: JobStore.Options, pool: DatabasePool, artifacts: ArtifactStore, writer: StoreWriter) throws {
        self.pool = pool
        self.artifacts = artifacts
        self.writer = writer
        batch = max(1, options.flushBatch)
        interval = .milliseconds(max(1, options.flushIntervalMilliseconds))
        delayNanoseconds = UInt64(max(0, options.flushDelayMilliseconds)) * 1_000_000
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(Double(options.busyTimeoutMilliseconds) / 1000)
        configuration.label = "slipway.checkpoint"
        checkpoints = try DatabaseQueue(path: options.path, configuration: configuration)
        // A small commit writes six to eight pages of 4 KiB: this comes before the log outgrows its size.
        commitsPerCheckpoint = max(1, options.walBytes / 4096 / 16)
    }

    /// Makes files of everything that a crash left inline, before anything else happens.
    func recover() {
        hurried.add(1, ordering: .relaxed)
        defer { hurried.subtract(1, ordering: .relaxed) }
        work()
    }

    private func work() {
        do {
            try flushCopiesAndTrash()
        } catch {
            // A full disk: reads take the copies, and the thread tries again at every interval.
        }
    }

    /// Whether it is time: when no change comes just then, or too much has waited for that, or for too long.
    private func isDue(since last: Pass) -> Bool {
        guard writer.isBusy, !stopping.load(ordering: .acquiring) else { return true }
        let now = Pass(writer)
        return now.nanoseconds - last.nanoseconds >= delayNanoseconds || now.copies - last.copies >= batch
            || now.bytes - last.bytes >= batch * Self.copyBytes
    }

    /// Lets jobs have the processors and the disk, which they share with files in the making; not while more comes than
    /// is made that way.
    private func giveWay() {
        let come = writer.copies.load(ordering: .relaxed) - copiesAtPass.load(ordering: .relaxed)
        guard writer.isBusy, come < 2 * batch, hurried.load(ordering: .relaxed) == 0,
            !stopping.load(ordering: .acquiring)
        else { return }
        usleep(Self.pauseMicroseconds)
    }

    /// Starts the thread.
    func start() {
        started.store(true, ordering: .relaxed)
        let thread = Thread { [self] in
            // Files are made with what time the jobs leave: their rows hold durable copies meanwhile. The priority is
            // this thread's alone (setpriority(2) on Linux); without it files only come sooner.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
            var pass = Pass(writer)
            while !stopping.load(ordering: .acquiring) {
                _ = wake.wait(timeout: .now() + interval)
                if isDue(since: pass) {
                    pass = Pass(writer)
                    copiesAtPass.store(pass.copies, ordering: .relaxed)
                    work()
                }
                checkpointIfDue()
            }
            stopped.signal()
        }
        thread.name = "slipway-flush"
        thread.start()
    }

    /// Ends the thread after a last pass; `closeConnection` comes after it.
    func stop() {
        guard !stopping.exchange(true, ordering: .acquiringAndReleasing), started.load(ordering: .relaxed) else {
            return
        }
        wake.signal()
        stopped.wait()
    }

    /// Closes the connection: as the last one to the file it copies the whole log back and removes it.
    func closeConnection() {
        do {
            try checkpoints.close()
        } catch {
            // The connection closes with this object; nothing is lost, the log stays.
        }
    }

    /// Flushes until no copy and no trash is left, as fast as it can.
    func flushAll() throws {
        hurried.add(1, ordering: .relaxed)
        defer { hurried.subtract(1, ordering: .relaxed) }
        try flushCopiesAndTrash()
    }

    private func flushCopiesAndTrash() throws {
        try passLock.withLock { _ in
            let copies = Result { try flushCopies() }
            // A file that cannot be written keeps none from being removed, which may be what makes the room.
            while try emptyTrash() == batch {}
            try copies.get()
        }
    }

    /// Makes files of all copies that it can, and throws when there were others.
    private func flushCopies() throws {
        var failure: (any Error)?
        var last = Int64.min
        while let key = try flushCopies(after: last, &failure) { last = key }
        if let failure { throw failure }
    }

    /// Makes files of the copies behind a key; gives the last key where there may be more.
    private func flushCopies(after last: Int64, _ failure: inout (any Error)?) throws -> Int64? {
        let copies = try copies(after: last)
        var written: [Copy] = []
        for start in stride(from: 0, to: copies.count, by: Self.sliceFiles) {
            do {
                written += try write(copies[start..<min(start + Self.sliceFiles, copies.count)], &failure)
            } catch {
                // No room for any: what was written is settled, and the next pass goes on.
                try settle(written)
                throw error
            }
            giveWay()
        }
        try settle(written)
        return copies.count == batch ? copies.last?.key : nil
    }

    private func copies(after last: Int64) throws -> [Copy] {
        try pool.read { db in
            let sql = "SELECT key, id, text FROM copies WHERE key > ? ORDER BY key LIMIT \(batch)"
            let rows = try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: [last])
            var copies: [Copy] = []
            while let row = try rows.next() {
                guard let id = JobID(row[1] as String), let kind = ArtifactKind(rawValue: row[0] & 3) else {
                    throw StoreValue.damaged("artifact copy")
                }
                copies.append(Copy(key: row[0], item: .init(id: id, kind: kind, text: Array(row[2] as Data))))
            }
            return copies
        }
    }

    /// Makes files of a slice, and gives those that it could.
    ///
    /// One bad place on the disk is no reason to keep all others in the database: what is there is tried again later.
    ///
    /// - Throws: `EngineError` with code `storageFull`, which all others would meet, too.
    private func write(_ slice: ArraySlice<Copy>, _ failure: inout (any Error)?) throws -> [Copy] {
        do {
            try artifacts.writeLazily(slice.map(\.item))
            return Array(slice)
        } catch let error as EngineError where error.code == .storageFull {
            throw error
        } catch {
            failure = failure ?? error
        }
        var written: [Copy] = []
        for copy in slice {
            do {
                try artifacts.writeLazily([copy.item])
                written.append(copy)
            } catch let error as EngineError where error.code == .storageFull {
                throw error
            } catch {
                continue  // The first of them is told.
            }
        }
        return written
    }

    /// Makes files durable and drops the copies of them.
    private func settle(_ written: [Copy]) throws {
        guard !written.isEmpty else { return }
        try artifacts.syncAll()
        try settle(copies: written.map(\.key), trash: [])
    }

    /// Comes after the copies of the same pass: a file that was written for a job removed meanwhile goes here.
    private func emptyTrash() throws -> Int {
        let ids = try pool.read { db in
            try String.fetchAll(db.cachedStatement(sql: "SELECT id FROM trash LIMIT \(batch)"))
        }.flatMap(JobRowCoding.ids)
        guard !ids.isEmpty else { return 0 }
        for (index, id) in ids.enumerated() {
            try artifacts.remove(id)
            if index % Self.sliceFiles == Self.sliceFiles - 1 { giveWay() }
        }
        try settle(copies: [], trash: ids)
        return ids.count
    }

    private func settle(copies: [Int64], trash: [JobID]) throws {
        let done = DispatchSemaphore(value: 0)
        let box = OutcomeBox()
        writer.submit(.settle(copies: copies, trash: trash)) {
            box.result.withLock { [result = $0] slot in slot = result }
            done.signal()
        }
        done.wait()
        _ = try box.result.withLock { $0 }?.get()
    }

    /// Copies the log back when it may have grown enough; the writer goes on meanwhile.
    private func checkpointIfDue() {
        let commits = writer.commits.load(ordering: .relaxed)
        guard commits - commitsAtCheckpoint.load(ordering: .relaxed) >= commitsPerCheckpoint else { return }
        do {
            // Each round is shorter than the one before; once it ends with nothing left, the writer starts over.
            for _ in 0..<4 {
                let (frames, copied) = try checkpoints.writeWithoutTransaction { try $0.checkpoint(.passive) }
                if copied >= frames { break }
            }
            commitsAtCheckpoint.store(commits, ordering: .relaxed)
        } catch {
            // The log grows until the next interval, or until the writer's own limit copies it back.
        }
    }
}
