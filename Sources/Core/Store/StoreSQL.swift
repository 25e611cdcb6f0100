/// The statements that change jobs; which states they accept comes from `JobTransition` alone.
enum SQL {
    static let insert = """
        INSERT INTO jobs (seq, id, tenant, name, kind, handler, state, attempt, max_attempts, backoff_ms, priority,
            timeout_ms, queue_deadline_ms, not_before_ms, created_ms, started_ms, timing_queued, timing_start, start,
            sandbox, nonce, boot_id, labels, options, input_digest, input_encoded, input_plain)
        VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
        """

    /// The attempt that begins is the row's own, or the first.
    static let claim = """
        UPDATE jobs SET state = '\(JobTransition.claim.target.rawValue)', attempt = ?1, sandbox = ?2, nonce = ?3,
            start = ?4, boot_id = ?5, started_ms = ?6
        WHERE id = ?7 AND \(StoreValue.isAny(of: JobTransition.claim.sources)) AND max(attempt, 1) = ?1
        """

    static let run = """
        UPDATE jobs SET state = '\(JobTransition.run.target.rawValue)', started_ms = ?
        WHERE id = ? AND attempt = ? AND \(StoreValue.isAny(of: JobTransition.run.sources))
        """

    /// Finds the row of an attempt that may end in a state; one statement for each terminal state.
    ///
    /// A row whose claim was not stored has no attempt yet, while its job counts the first.
    static let findUnfinished: [JobState: String] = Dictionary(
        uniqueKeysWithValues: JobState.allCases.filter(\.isTerminal).map { state in
            let sources = StoreValue.isAny(of: JobTransition.finish(state).sources)
            return (state, "SELECT seq FROM jobs WHERE id = ? AND max(attempt, 1) = max(?, 1) AND \(sources)")
        })

    /// Ends the row that was found.
    static let finish: [JobState: String] = Dictionary(
        uniqueKeysWithValues: JobState.allCases.filter(\.isTerminal).map { state in
            let sql = """
                UPDATE jobs SET state = '\(state.rawValue)', started_ms = coalesce(?, started_ms), finished_ms = ?,
                    timing_queued = ?, timing_start = ?, timing_run = ?, timing_total = ?, exit_code = ?,
                    cpu_seconds = ?, max_rss = ?, error_kind = ?, error_type = ?, error_message = ?,
                    error_traceback = ?, result_digest = ?, result_encoded = ?, result_plain = ?,
                    result_media = ?, journal_digest = ?, journal_encoded = ?, journal_plain = ?,
                    gpu = ?, memory_peak = ?
                WHERE seq = ?
                """
            return (state, sql)
        })

    static let retry = """
        UPDATE jobs SET state = '\(JobTransition.retry.target.rawValue)', attempt = attempt + 1, not_before_ms = ?1,
            queue_deadline_ms = coalesce(?2, queue_deadline_ms), sandbox = NULL, nonce = NULL, start = NULL,
            started_ms = NULL
        WHERE id = ?3 AND attempt = ?4 AND attempt < max_attempts
            AND \(StoreValue.isAny(of: JobTransition.retry.sources))
        """

    static let giveBack = """
        UPDATE jobs SET state = '\(JobTransition.giveBack.target.rawValue)', not_before_ms = ?1,
            queue_deadline_ms = coalesce(?2, queue_deadline_ms), sandbox = NULL, nonce = NULL, start = NULL,
            started_ms = NULL
        WHERE id = ?3 AND attempt = ?4 AND \(StoreValue.isAny(of: JobTransition.giveBack.sources))
        """

    static let requestCancel = """
        UPDATE jobs SET cancel_requested = 1 WHERE id = ? AND \(isUnfinished)
        """

    static let findFinished = """
        SELECT seq FROM jobs WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2) AND \(isFinished)
        """
    static let remove = "DELETE FROM jobs WHERE seq = ?"

    /// What every job runs, once or more.
    static var ofEachJob: [String] {
        [insert, claim, run, retry, giveBack, requestCancel, addCopy, dropCopies, addKey]
            + findUnfinished.values + finish.values + [findFinished]
    }

    static let exists = "SELECT 1 FROM jobs WHERE id = ? AND tenant = ?"
    static let findKey = "SELECT request_hash, jobs FROM idempotency WHERE tenant = ? AND key = ?"
    static let addKey =
        "INSERT INTO idempotency (tenant, key, request_hash, jobs, created_ms) VALUES (?, ?, ?, ?, ?)"
    static let addLabel = "INSERT INTO job_labels (seq, key, value) VALUES (?, ?, ?)"
    static let addCopy = "INSERT INTO copies (key, id, text) VALUES (?, ?, ?)"
    static let dropCopies = "DELETE FROM copies WHERE key BETWEEN ? AND ?"
    static let addTrash = "INSERT OR IGNORE INTO trash (id) VALUES (?)"
    static let dropTrash = "DELETE FROM trash WHERE id = ?"

    /// Whether a job has not ended, in the words of the index `jobs_unfinished`, so that SQLite sees that it fits.
    ///
    /// The statement that ends a job sets the column, and no other does.
    static let isUnfinished = "finished_ms IS NULL"
    static let isFinished = "finished_ms IS NOT NULL"
}
