/// What is fixed about a sandbox when it is created; sandboxes of one class are interchangeable until specialised.
package struct SandboxClass: Hashable, Sendable, Codable {
    /// A folder of the host that the sandbox sees.
    package struct Mount: Hashable, Sendable, Codable {
        /// Absolute path on the host.
        package var source: String
        /// Absolute path in the sandbox.
        package var target: String
        /// Whether the sandbox may write.
        package var writable: Bool

        /// Makes a mount.
        package init(source: String, target: String, writable: Bool) {
            self.source = source
            self.target = target
            self.writable = writable
        }

        /// Whether two mounts are the same to the kernel, which compares paths as bytes.
        package static func == (one: Self, other: Self) -> Bool {
            one.source.utf8.elementsEqual(other.source.utf8) && one.target.utf8.elementsEqual(other.target.utf8)
                && one.writable == other.writable
        }
    }

    /// The runtime whose sandboxes need no container engine.
    package static let processRuntime = "process"

    /// Where the sandbox comes from: `docker` or `process`.
    package var runtime: String
    /// The image as it was named.
    package var image: String
    /// The digest that the name stood for; empty for `process`.
    package var imageID: String
    /// Processor cores.
    package var cpus: Double
    /// Memory in bytes; swap is not allowed on top.
    package var memoryBytes: Int
    /// Processes and threads.
    package var pids: Int
    /// Size of the temporary file system in bytes.
    package var tmpBytes: Int
    /// Size of shared memory in bytes.
    package var shmBytes: Int
    /// Open files of one process.
    package var openFiles: Int
    /// The network mode.
    package var network: String
    /// Folders of the host.
    package var mounts: [Mount]
    /// The OCI runtime (`runsc`); nil takes the container engine's default.
    package var ociRuntime: String?
    /// Graphics processors; a class with any belongs to one tenant.
    package var gpus: GPUNeed?
    /// The name under which the configuration declares the class; nil for a class that nobody declared.
    package var pool: String?
    /// Tasks that run in one sandbox at the same time, all of one tenant.
    package var slots: Int
    /// Modules that are imported before the sandbox has a tenant.
    package var preload: [String]
    /// The only tenant whose jobs it may run, where what is fixed belongs to one, such as its network; nil otherwise.
    package var tenant: String?

    /// Makes a class.
    package init(
        runtime: String, image: String, imageID: String, cpus: Double, memoryBytes: Int, pids: Int, tmpBytes: Int,
        shmBytes: Int, openFiles: Int, network: String, mounts: [Mount] = [], ociRuntime: String? = nil,
        gpus: GPUNeed? = nil, pool: String? = nil, slots: Int = 1, preload: [String] = [], tenant: String? = nil
    ) {
        self.runtime = runtime
        self.image = image
        self.imageID = imageID
        self.cpus = cpus
        self.memoryBytes = memoryBytes
        self.pids = pids
        self.tmpBytes = tmpBytes
        self.shmBytes = shmBytes
        self.openFiles = openFiles
        self.network = network
        self.mounts = mounts
        self.ociRuntime = ociRuntime
        self.gpus = gpus
        self.pool = pool
        self.slots = max(1, slots)
        self.preload = preload
        self.tenant = tenant
    }

    /// Hashes all that tells classes of one runtime apart: who names sizes must not slow everybody's lookups down.
    ///
    /// The image's name is left out beside its digest, since a lookup stands in the way of every job.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(imageID)
        hasher.combine(memoryBytes)
        hasher.combine(cpus)
        hasher.combine(pids)
        hasher.combine(tmpBytes)
        hasher.combine(shmBytes)
        hasher.combine(openFiles)
        hasher.combine(slots)
        hasher.combine(network)
        hasher.combine(pool)
        hasher.combine(tenant)
        hasher.combine(gpus)
        hasher.combine(preload)
        hasher.combine(mounts)
    }
}
