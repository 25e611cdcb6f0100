import Foundation

/// Checks requests against the configuration: the same rules for embedders and for REST.
package struct RequestChecker: Sendable {
    /// What requests may ask for.
    package let limits: RequestLimits
    private let secrets: SecretDirectory

    init(configuration: Configuration, handlers: [String], runtimes: [String], secrets: SecretDirectory) {
        self.secrets = secrets
        var limits = RequestLimits()
        // Without a limit here the capacity of the machine that runs the sandboxes is the limit.
        limits.cpus = configuration.limits.cpus
        limits.memoryBytes = configuration.limits.memoryBytes
        // Which of them there are is known when the driver was asked; the capacity of the machine tells.
        limits.gpuDevices = configuration.gpus.devices.isEmpty ? 0 : .max
        limits.pids = configuration.limits.pids
        limits.tmpBytes = configuration.limits.tmpBytes
        limits.shmBytes = configuration.limits.shmBytes
        limits.openFiles = configuration.limits.openFiles
        limits.timeout = configuration.limits.timeout
        limits.attempts = configuration.jobs.maxAttemptsMax
        limits.images = configuration.sandbox.imageAllow
        limits.defaultImage = configuration.sandbox.image
        limits.mounts = configuration.sandbox.mountAllow
        limits.writableMounts = configuration.sandbox.mountWritable
        limits.networks = Set(
            configuration.network.modes(besides: configuration.sandbox.network).map(\.rawValue))
        limits.indexes = configuration.environments.indexAllow
        limits.projects = configuration.environments.projectAllow
        limits.handlers = Set(runtimes + ["direct"])
        limits.taskHandlers = Set(handlers)
        limits.secrets = Set(configuration.secrets.keys)
        limits.deniedEnvironment = Set(configuration.sandbox.envDeny)
        self.limits = limits
    }

    /// Throws every fault of a request at once.
    func check(_ request: JobRequest) throws {
        var faults = JobRequestValidator.validate(request, limits: limits)
        if !request.secrets.isEmpty, faults.isEmpty { faults = sizeFaults(of: request) }
        guard let first = faults.first else { return }
        var left = PayloadCodec.refusedLimitBytes
        faults += PayloadCodec.faults(in: request.task, leftBytes: &left)
        let code: EngineError.Code =
            switch first.code {
            case "limit-exceeded": .limitExceeded
            case "not-allowed": .notAllowed
            case "not-supported": .notSupported
            default: .invalidRequest
            }
        let same = faults.allSatisfy { $0.code == first.code }
        throw EngineError(same ? code : .invalidRequest, first.detail, faults: faults)
    }

    /// What is wrong with the size of a job's variables and secrets together, as its task will get them.
    private func sizeFaults(of request: JobRequest) -> [EngineError.Fault] {
        let found = FaultList()
        EnvironmentValidator(limits: limits, faults: found)
            .checkSize(request.env, secrets: secrets.values(of: request.secrets))
        return found.faults
    }
}
