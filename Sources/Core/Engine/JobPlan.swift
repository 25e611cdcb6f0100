import Foundation

/// A request with every default filled in: all that a later attempt, or a later process, needs to run it.
package struct JobPlan: Sendable, Hashable, Codable {
    /// The runtime that provides the sandbox, or `direct`.
    package var runtime: String
    /// The image's name; empty where the runtime has none.
    package var image: String
    package var cpus: Double
    package var memoryBytes: Int
    package var pids: Int
    package var tmpBytes: Int
    package var shmBytes: Int
    package var openFiles: Int
    package var network: String
    package var mounts: [JobRequest.Mount]
    package var requirements: [String]
    /// The package index of this job alone.
    package var indexURL: String?
    /// The folder of a source tree to install.
    package var project: String?
    package var preload: [String]
    package var env: [String: String]
    package var secrets: [String]
    /// The Python that pickled a callable, such as `3.11`.
    package var python: String?
    /// The Swift handler of a task of kind `handler`.
    package var handlerName: String?
    package var timeoutSeconds: Double
    /// The declared class that the job runs in; nil for a size of its own.
    package var pool: String?
    /// Tasks that share one sandbox; nil for one.
    package var slots: Int?
    /// Modules that the class imports ahead, whoever the tenant is.
    package var poolPreload: [String]?
    /// Graphics processors; nil for none.
    package var gpus: ResourceRequest.GPUs?

    /// Fills in the configured defaults.
    package init(_ request: JobRequest, runtime: String, configuration: Configuration) {
        let sandbox = configuration.sandbox
        self.runtime = runtime
        image = runtime == "docker" ? request.image ?? sandbox.image : ""
        cpus = request.resources.cpus ?? sandbox.cpus
        memoryBytes = request.resources.memoryBytes ?? sandbox.memoryBytes
        pids = request.resources.pids ?? sandbox.pids
        tmpBytes = request.resources.tmpBytes ?? sandbox.tmpBytes
        shmBytes = request.resources.shmBytes ?? sandbox.shmBytes
        openFiles = request.resources.openFiles ?? sandbox.openFiles
        network = request.network ?? sandbox.network.rawValue
        mounts = request.mounts
        requirements = request.requirements
        indexURL = request.indexURL
        project = request.project
        preload = request.preload
        env = request.env
        secrets = request.secrets
        python = request.task.python
        handlerName = request.task.handlerName
        timeoutSeconds = (request.timeout ?? configuration.jobs.defaultTimeout).seconds
        gpus = request.resources.gpus
        gpus?.memoryBytes = request.resources.gpus?.memoryBytes ?? configuration.gpus.memoryLimitBytes
        let slots = configuration.pools.defaults.slots
        self.slots = slots > 1 ? slots : nil
        if let shape = configuration.poolShape(for: request, image: image, network: network) { fill(from: shape) }
    }

    /// The plan of a job that asks for nothing but a declared class.
    init(of shape: PoolShape, runtime: String, configuration: Configuration) {
        self.init(JobRequest(task: .source("")), runtime: runtime, configuration: configuration)
        image = runtime == "docker" ? shape.image : ""
        network = shape.network
        preload = []
        fill(from: shape)
    }

    /// Takes the size and the preloaded modules of a declared class.
    private mutating func fill(from shape: PoolShape) {
        cpus = shape.cpus
        memoryBytes = shape.memoryBytes
        pids = shape.pids
        tmpBytes = shape.tmpBytes
        shmBytes = shape.shmBytes
        openFiles = shape.openFiles
        pool = shape.name
        slots = shape.slots > 1 ? shape.slots : nil
        poolPreload = shape.preload.isEmpty ? nil : shape.preload
        preload = shape.preload + preload.filter { !shape.preload.contains($0) }
    }

    /// Whether what is fixed about its sandbox belongs to its tenant: then there are no stem cells for everybody.
    package var isOfOneTenant: Bool { network == Configuration.Sandbox.NetworkMode.egress.rawValue }

    /// The plan as it rests in the job store.
    package func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return Array(try encoder.encode(self))
    }

    /// Reads a plan from the job store.
    package init(decoding bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(JobPlan.self, from: Data(bytes))
    }

    /// What is fixed when a sandbox for this plan is created.
    package func sandboxClass(image: ResolvedImage, ociRuntime: String?, of tenant: TenantID = .default) -> SandboxClass
    {
        SandboxClass(
            runtime: runtime, image: image.reference, imageID: image.digest, cpus: cpus, memoryBytes: memoryBytes,
            pids: pids, tmpBytes: tmpBytes, shmBytes: shmBytes, openFiles: openFiles, network: network,
            mounts: mounts.map { .init(source: $0.source, target: $0.target, writable: $0.writable) },
            ociRuntime: ociRuntime, gpus: gpuNeed(of: tenant), pool: pool, slots: slots ?? 1,
            preload: poolPreload ?? [], tenant: isOfOneTenant ? tenant.description : nil)
    }
}

extension Duration {
    /// The duration in seconds.
    package var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
