/// What a job may use; nil takes the configured default.
public struct ResourceRequest: Sendable, Equatable, Codable {
    /// Graphics processors that a job asks for.
    public struct GPUs: Sendable, Hashable, Codable {
        /// How many whole devices.
        public var count: Int?
        /// Particular device identifiers.
        public var devices: [String]
        /// Memory of each device in bytes.
        public var memoryBytes: Int?

        /// Makes a request for devices.
        public init(count: Int? = nil, devices: [String] = [], memoryBytes: Int? = nil) {
            self.count = count
            self.devices = devices
            self.memoryBytes = memoryBytes
        }
    }

    /// Processor cores, such as 0.5.
    public var cpus: Double?
    /// Memory in bytes; swap is not allowed on top.
    public var memoryBytes: Int?
    /// Processes and threads.
    public var pids: Int?
    /// Size of the temporary file system in bytes.
    public var tmpBytes: Int?
    /// Size of shared memory in bytes.
    public var shmBytes: Int?
    /// Open files of one process.
    public var openFiles: Int?
    /// Graphics processors.
    public var gpus: GPUs?

    /// Makes a request; everything not named takes its default.
    public init(
        cpus: Double? = nil, memoryBytes: Int? = nil, pids: Int? = nil, tmpBytes: Int? = nil, shmBytes: Int? = nil,
        openFiles: Int? = nil, gpus: GPUs? = nil
    ) {
        self.cpus = cpus
        self.memoryBytes = memoryBytes
        self.pids = pids
        self.tmpBytes = tmpBytes
        self.shmBytes = shmBytes
        self.openFiles = openFiles
        self.gpus = gpus
    }
}
