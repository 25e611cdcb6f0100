/// What the requests of a tenant may ask for.
package struct RequestLimits: Sendable {
    /// Most processors; nil for no limit.
    package var cpus: Double?
    /// Most memory in bytes; nil for no limit.
    package var memoryBytes: Int?
    /// Most processes and threads.
    package var pids = 4096
    /// Largest temporary file system in bytes.
    package var tmpBytes = 8 << 30
    /// Largest shared memory in bytes.
    package var shmBytes = 8 << 30
    /// Most open files of one process.
    package var openFiles = 65_536
    /// Longest run.
    package var timeout = Duration.seconds(24 * 3600)
    /// Longest wait in the queue.
    package var queueTimeout = Duration.seconds(30 * 24 * 3600)
    /// Most attempts.
    package var attempts = 20
    /// Patterns of images that may be named; `*` stands for any characters.
    package var images = ["*"]
    /// The image of jobs that name none, which is always allowed.
    package var defaultImage: String?
    /// Folders of the host that may be mounted, each with all below it.
    package var mounts: [String] = []
    /// Those that may be mounted writable.
    package var writableMounts: [String] = []
    /// Package indexes that jobs may name; `*` stands for any characters.
    package var indexes: [String] = []
    /// Folders of the host whose projects may be installed, each with all below it.
    package var projects: [String] = []
    /// Network modes that may be asked for.
    package var networks: Set<String> = ["none"]
    /// Handlers that may be named.
    package var handlers: Set<String> = ["docker", "process", "direct"]
    /// Names that a task of type `handler` may have; nil when the engine alone knows them.
    package var taskHandlers: Set<String>?
    /// Names of the configured secrets.
    package var secrets: Set<String> = []
    /// Environment variables that may not be set, beside those that are always refused.
    package var deniedEnvironment: Set<String> = []
    /// Devices that jobs may ask for.
    package var gpuDevices = 0
    /// Whether a requirement may be an address or a path instead of a name.
    package var allowsRequirementURLs = false

    package init() {}
}
