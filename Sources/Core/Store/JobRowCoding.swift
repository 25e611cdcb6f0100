import Foundation
import GRDB

/// Maps a job's row to columns and back.
enum JobRowCoding {
    /// Columns of `Job`, in the order in which `job(_:)` reads them.
    static let jobColumns = """
        id, tenant, name, kind, handler, state, attempt, created_ms, started_ms, finished_ms, timing_queued,
        timing_start, timing_run, timing_total, start, sandbox, exit_code, cpu_seconds, max_rss, cancel_requested,
        labels, error_kind, error_type, error_message, error_traceback
        """

    /// Columns of `JobRow`: those of `Job`, then these from index 25 on.
    static let rowColumns = """
        \(jobColumns), max_attempts, backoff_ms, priority, timeout_ms, queue_deadline_ms, not_before_ms, options, nonce,
        boot_id, result_media, input_digest, input_encoded, input_plain,
        (SELECT text FROM copies WHERE key = 4 * seq), result_digest, result_encoded, result_plain,
        (SELECT text FROM copies WHERE key = 4 * seq + 1), journal_digest, journal_encoded, journal_plain,
        (SELECT text FROM copies WHERE key = 4 * seq + 2), gpu, memory_peak
        """

    /// Values for `SQL.insert`.
    static func insertValues(_ row: JobRow, seq: Int64) throws -> [DatabaseValue] {
        let job = row.job
        return [
            seq.databaseValue, job.id.description.databaseValue, job.tenant.description.databaseValue,
            StoreValue.of(job.name), job.kind.rawValue.databaseValue, job.handler.databaseValue,
            job.state.rawValue.databaseValue, job.attempt.databaseValue, row.maxAttempts.databaseValue,
            row.backoffMilliseconds.databaseValue, row.priority.databaseValue, StoreValue.of(row.timeoutMilliseconds),
            StoreValue.of(row.queueDeadlineMilliseconds), StoreValue.of(row.notBeforeMilliseconds),
            StoreValue.of(job.createdAt), StoreValue.of(job.startedAt), StoreValue.of(job.timings.queued),
            StoreValue.of(job.timings.start), StoreValue.of(job.start?.rawValue), StoreValue.of(job.sandbox),
            StoreValue.of(row.nonce), StoreValue.of(row.bootID), try StoreValue.labels(job.labels),
            StoreValue.of(row.options), StoreValue.of(row.input?.digest), StoreValue.of(row.input?.encodedSize),
            StoreValue.of(row.input?.plainSize),
        ]
    }

    /// Values for `SQL.finish`.
    static func finishValues(_ finish: JobFinish, seq: Int64) throws -> [DatabaseValue] {
        [
            StoreValue.of(finish.startedAt), StoreValue.of(finish.finishedAt), StoreValue.of(finish.timings.queued),
            StoreValue.of(finish.timings.start), StoreValue.of(finish.timings.run),
            StoreValue.of(finish.timings.total), StoreValue.of(finish.exitCode),
            StoreValue.of(finish.usage?.cpuSeconds), StoreValue.of(finish.usage?.maxRSSBytes),
            StoreValue.of(finish.error?.kind.rawValue), StoreValue.of(finish.error?.type),
            StoreValue.of(finish.error?.message), StoreValue.of(finish.error?.traceback),
            StoreValue.of(finish.result?.digest), StoreValue.of(finish.result?.encodedSize),
            StoreValue.of(finish.result?.plainSize), StoreValue.of(finish.resultMedia?.rawValue),
            StoreValue.of(finish.journal?.digest), StoreValue.of(finish.journal?.encodedSize),
            StoreValue.of(finish.journal?.plainSize), try StoreValue.json(finish.gpus),
            StoreValue.of(finish.usage?.sandboxMemoryPeakBytes), seq.databaseValue,
        ]
    }

    /// The job in a row of `jobColumns`.
    static func job(_ row: Row) throws -> Job {
        guard let id = JobID(row[0] as String) else { throw StoreValue.damaged("job id") }
        guard let tenant = TenantID(row[1] as String) else { throw StoreValue.damaged("tenant") }
        guard let kind = TaskSpec.Kind(rawValue: row[3]) else { throw StoreValue.damaged("task kind") }
        guard let state = JobState(rawValue: row[5]) else { throw StoreValue.damaged("job state") }
        var usage: Job.Usage?
        if let cpu = row[17] as Double?, let rss = row[18] as Int? {
            usage = Job.Usage(cpuSeconds: cpu, maxRSSBytes: rss, sandboxMemoryPeakBytes: row["memory_peak"])
        }
        var job = Job(
            id: id, tenant: tenant, name: row[2], kind: kind, handler: row[4], state: state, attempt: row[6],
            createdAt: StoreValue.date(row[7]), startedAt: (row[8] as Int64?).map(StoreValue.date),
            finishedAt: (row[9] as Int64?).map(StoreValue.date),
            timings: Job.Timings(queued: row[10], start: row[11], run: row[12], total: row[13]),
            start: (row[14] as String?).flatMap(Job.Start.init(rawValue:)), sandbox: row[15], exitCode: row[16],
            usage: usage, error: try error(row), cancelRequested: (row[19] as Int) != 0,
            labels: try StoreValue.labels(row[20]))
        job.gpus = try StoreValue.json(Job.GPUs.self, row["gpu"])
        return job
    }

    /// Everything in a row of `rowColumns`.
    static func row(_ row: Row) throws -> JobRow {
        JobRow(
            job: try job(row), maxAttempts: row[25], backoffMilliseconds: row[26], priority: row[27],
            timeoutMilliseconds: row[28], queueDeadlineMilliseconds: row[29], notBeforeMilliseconds: row[30],
            options: bytes(row[31]) ?? [], nonce: bytes(row[32]), bootID: row[33],
            input: artifact(row, from: 35), result: artifact(row, from: 39),
            resultMedia: (row[34] as String?).flatMap(JobResult.Media.init(rawValue:)),
            journal: artifact(row, from: 43))
    }

    /// Job identifiers from a list with spaces.
    static func ids(_ text: String) throws -> [JobID] {
        try text.split(separator: " ").map {
            guard let id = JobID($0) else { throw StoreValue.damaged("job id") }
            return id
        }
    }

    private static func error(_ row: Row) throws -> JobError? {
        guard let text = row[21] as String? else { return nil }
        guard let kind = JobError.Kind(rawValue: text) else { throw StoreValue.damaged("error kind") }
        return JobError(kind: kind, type: row[22], message: row[23] ?? "", traceback: row[24])
    }

    private static func artifact(_ row: Row, from index: Int) -> StoredArtifact? {
        guard let digest = bytes(row[index]) else { return nil }
        return StoredArtifact(
            digest: digest, encodedSize: row[index + 1] ?? 0, plainSize: row[index + 2] ?? 0,
            inline: bytes(row[index + 3]))
    }

    static func bytes(_ data: Data?) -> [UInt8]? { data.map { Array($0) } }
}
