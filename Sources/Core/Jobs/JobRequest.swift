/// A job to submit.
public struct JobRequest: Sendable {
    /// How often and how fast a job is tried again after an attempt that failed.
    ///
    /// What ended as `exception`, `exit`, `timeout`, `oom`, `lost` or `startFailed`, or as `protocol` without a type, is
    /// tried again; what ended as `dependency`, `artifactCorrupt` or `expired`, or before it had a sandbox, is not.
    public struct Retry: Sendable, Equatable {
        /// Tries in all; 1 means at most once.
        public var maxAttempts: Int
        /// Wait before the second try, doubled for each further one, up to one hour.
        public var backoff: Duration

        /// Makes a retry policy.
        public init(maxAttempts: Int = 1, backoff: Duration = .seconds(1)) {
            self.maxAttempts = maxAttempts
            self.backoff = backoff
        }
    }

    /// A folder of the host that the sandbox sees.
    public struct Mount: Sendable, Hashable, Codable {
        /// Absolute path on the host.
        public var source: String
        /// Absolute path in the sandbox.
        public var target: String
        /// Whether the sandbox may write.
        public var writable: Bool

        /// Makes a mount.
        public init(source: String, target: String, writable: Bool = false) {
            self.source = source
            self.target = target
            self.writable = writable
        }
    }

    /// What to run.
    public var task: TaskSpec
    /// A name for people, at most 255 characters.
    public var name: String?
    /// The handler: `docker`, `process`, `direct` or a registered one; nil takes the configured runtime.
    public var handler: String?
    /// The container image; nil takes the configured one.
    public var image: String?
    /// Python requirements as pip reads them.
    public var requirements: [String] = []
    /// The package index for them, which must match `environments.index_allow`; nil takes the configured one.
    public var indexURL: String?
    /// A folder of the engine's machine with a Python project to install, for development.
    ///
    /// It must lie below `environments.project_allow`.
    public var project: String?
    /// Environment variables of the task.
    public var env: [String: String] = [:]
    /// Names of configured secrets that the task gets as environment variables.
    public var secrets: [String] = []
    /// What the job may use.
    public var resources = ResourceRequest()
    /// The network mode; nil takes the configured one.
    public var network: String?
    /// Folders of the host.
    public var mounts: [Mount] = []
    /// How long the task may run; nil takes the configured default.
    public var timeout: Duration?
    /// How long the job may wait; nil takes the configured default.
    public var queueTimeout: Duration?
    /// How often the job is tried.
    public var retry = Retry()
    /// Jobs of higher priority go first; -100 to 100.
    public var priority = 0
    /// Labels for finding jobs again.
    public var labels: [String: String] = [:]
    /// Modules that the sandbox imports ahead.
    public var preload: [String] = []

    /// Makes a request to run `task` with defaults for everything else.
    public init(task: TaskSpec) { self.task = task }
}
