import GRDB

/// The tables of the job store and their migrations.
enum StoreSchema {
    /// `PRAGMA application_id` of a job store: `SLPW`.
    static let applicationID: Int32 = 0x534C_5057

    /// The migrations; a released one is never changed.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1-jobs") { db in
            for statement in first { try db.execute(sql: statement) }
        }
        migrator.registerMigration("2-outputs") { db in
            for statement in StoreOutputs.schema { try db.execute(sql: statement) }
        }
        migrator.registerMigration("3-gpus") { db in
            try db.execute(sql: "ALTER TABLE jobs ADD COLUMN gpu TEXT")
        }
        migrator.registerMigration("4-memory-peak") { db in
            try db.execute(sql: "ALTER TABLE jobs ADD COLUMN memory_peak INTEGER")
        }
        migrator.registerMigration("5-unfinished") { db in
            // For a list of more than two states SQLite made a temporary table at each change of a row.
            try db.execute(sql: "DROP INDEX jobs_unfinished")
            try db.execute(
                sql: "CREATE INDEX jobs_unfinished ON jobs (tenant, state, seq) WHERE finished_ms IS NULL")
        }
        return migrator
    }

    private static let first = [
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE tenants (
            id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, suspended INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE api_keys (
            id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
            hash BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER,
            revoked_ms INTEGER
        ) WITHOUT ROWID
        """,
        // seq is given by the writer and grows: new rows touch the right edge of every index but the partial one.
        """
        CREATE TABLE jobs (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, name TEXT, kind TEXT NOT NULL,
            handler TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL, max_attempts INTEGER NOT NULL,
            backoff_ms INTEGER NOT NULL, priority INTEGER NOT NULL, timeout_ms INTEGER, queue_deadline_ms INTEGER,
            not_before_ms INTEGER, created_ms INTEGER NOT NULL, started_ms INTEGER, finished_ms INTEGER,
            timing_queued REAL, timing_start REAL, timing_run REAL, timing_total REAL, start TEXT, sandbox TEXT,
            nonce BLOB, boot_id TEXT, exit_code INTEGER, cpu_seconds REAL, max_rss INTEGER,
            cancel_requested INTEGER NOT NULL DEFAULT 0, labels TEXT, error_kind TEXT, error_type TEXT,
            error_message TEXT, error_traceback TEXT, options BLOB NOT NULL,
            input_digest BLOB, input_encoded INTEGER, input_plain INTEGER,
            result_digest BLOB, result_encoded INTEGER, result_plain INTEGER, result_media TEXT,
            journal_digest BLOB, journal_encoded INTEGER, journal_plain INTEGER
        )
        """,
        "CREATE INDEX jobs_by_tenant ON jobs (tenant, seq)",
        """
        CREATE INDEX jobs_unfinished ON jobs (tenant, state, seq) WHERE state IN ('queued', 'starting', 'running')
        """,
        """
        CREATE TABLE job_labels (
            seq INTEGER NOT NULL REFERENCES jobs(seq) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (seq, key)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX job_labels_by_value ON job_labels (key, value, seq)",
        // Texts whose files may be torn; key is 4 * seq + kind. Apart from jobs, so that updates of a row stay small.
        "CREATE TABLE copies (key INTEGER PRIMARY KEY, id TEXT NOT NULL, text BLOB NOT NULL)",
        // Jobs that are gone while their files may not be.
        "CREATE TABLE trash (id TEXT PRIMARY KEY) WITHOUT ROWID",
        """
        CREATE TABLE idempotency (
            tenant TEXT NOT NULL, key TEXT NOT NULL, request_hash BLOB NOT NULL, jobs TEXT NOT NULL,
            created_ms INTEGER NOT NULL, PRIMARY KEY (tenant, key)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX idempotency_by_age ON idempotency (created_ms)",
        """
        CREATE TABLE sandboxes (
            id TEXT PRIMARY KEY, runtime TEXT NOT NULL, container TEXT, tenant TEXT, pool_key TEXT NOT NULL,
            socket_path TEXT, pid INTEGER, created_ms INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
        // Written and emptied at each start, to give the write-ahead log its size.
        "CREATE TABLE prewarm (data BLOB NOT NULL)",
    ]
}
