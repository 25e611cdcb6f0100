import Foundation
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Runs sandboxes as hardened containers of a Docker engine.
///
/// Every container is made by a deterministic name and carries labels, so that one of this engine is found again
/// whatever happened to the process that made it.
package final class DockerRuntime: SandboxRuntime {
    /// How containers are made.
    package struct Options: Sendable {
        /// Names the engine that owns the containers.
        package var engineID: String
        /// The host's folder of the runner's files.
        package var runnerFolder: String
        /// The host's folder of the environments, in whose place a volume is mounted where folders are not shared; nil
        /// when there are none.
        package var environmentsFolder: String?
        package var heartbeatSeconds: Double
        package var reconnectSeconds: Double
        /// Whether runners keep what tasks share on huge pages.
        package var hugePages = true
        /// The text of a seccomp profile; nil for the engine's own.
        package var seccompProfile: String?
        /// The OCI runtime of containers that are no sandboxes, such as `runsc`; nil for the engine's default.
        package var ociRuntime: String?
        /// How much more readily than others the kernel ends a sandbox when the machine runs out of memory, 0 to 1000.
        package var oomScoreAdjustment = 0
        /// What carries the frames between the engine and the supervisors.
        package var transport = SupervisorTransport.unix
        /// Whether containers can mount folders of this machine; where not, volumes hold what they need.
        package var sharesFolders = true
        /// The name servers of sandboxes of the mode `egress`; empty for the engine's own.
        package var nameServers: [String] = []
        /// Whether jobs may ask for the mode `egress`.
        package var offersEgress = true
        /// The ports of the host that sandboxes of the mode `host_gateway` reach.
        package var hostPorts: [Int] = []
        /// The connections to them that one sandbox may have at a time.
        package var hostConnections = 64
        /// What may be mounted; nil mounts nothing of the host's.
        package var mounts: MountPolicy?
        /// From where jobs may have images fetched; nil where nothing bounds it.
        package var registries: RegistryGuard?
        /// Keeps sandboxes with a part of a device to its memory; nil where the operator runs no such service.
        package var mps: MPSService?

        package init(
            engineID: String, runnerFolder: String, environmentsFolder: String?, heartbeatSeconds: Double,
            reconnectSeconds: Double, seccompProfile: String?
        ) {
            self.engineID = engineID
            self.runnerFolder = runnerFolder
            self.environmentsFolder = environmentsFolder
            self.heartbeatSeconds = heartbeatSeconds
            self.reconnectSeconds = reconnectSeconds
            self.seccompProfile = seccompProfile
        }
    }

    /// The label that names the engine which owns a container.
    package static let engineLabel = "slipway.engine"
    /// The label that names a sandbox.
    package static let sandboxLabel = "slipway.sandbox"
    /// The label that tells what other containers and volumes are for.
    package static let roleLabel = "slipway.role"
    /// The label that names the kind of sandbox.
    package static let poolLabel = "slipway.pool"
    /// Where sandboxes see the environments.
    package static let environmentsTarget = "/opt/slipway/env"
    /// Room in the temporary file system for each file that it may hold.
    private static let bytesPerInode = 16_384
    /// Processors that a sandbox has at least until its supervisor has answered: with fewer a start takes seconds, in
    /// which it keeps others from starting.
    private static let startingCPUs = 0.25
    static let runnerTarget = "/opt/slipway/runner"
    private static let socketTarget = "/run/slipway"

    package let name = "docker"
    let client: DockerClient
    let options: Options
    let logger: Logger
    let byteCode: RunnerByteCode
    /// The networks of the mode `egress`; nil where no job may ask for it.
    let networks: EgressNetworks?
    /// Paths of each image that its maker declared as volumes.
    private let volumes = Mutex<[String: [String]]>([:])
    /// What supervisors wrote to standard error lately, where nobody else keeps it.
    let errorTails = Mutex<[SandboxID: ErrorTail]>([:])
    let helpers = HelperContainers()
    private let runnerVolume: RunnerVolume
    private let environmentVolume: EnvironmentVolume
    /// Whether the engine knows no limit for the files of a tmpfs, as Podman before version 5.
    let lacksInodeLimit = Atomic(false)
    /// Whether the log tells that sandboxes have Podman's own filter of system calls.
    let toldOfFilter = Atomic(false)
    /// Whether the log tells of published holes that the engine may have.
    let toldOfHoles = Atomic(false)
    let puller: ImagePuller?

    package var transport: SupervisorTransport { options.transport }

    /// - Parameter puller: Gets images that the engine does not have; without one none is fetched.
    package init(
        client: DockerClient, options: Options, networks: EgressNetworks? = nil, puller: ImagePuller? = nil,
        logger: Logger
    ) {
        self.client = client
        self.networks = networks
        self.puller = puller
        self.options = options
        self.logger = logger
        byteCode = RunnerByteCode(runnerFolder: options.runnerFolder)
        runnerVolume = RunnerVolume(
            client: client, engineID: options.engineID, helpers: helpers, logger: logger)
        environmentVolume = EnvironmentVolume(client: client, engineID: options.engineID)
    }

    package func check() async throws { try await client.ping() }

    package func hostSize() async throws -> HostSize {
        let info = try await client.info()
        guard let cpus = info.cpuCount, let memory = info.memoryBytes, cpus > 0, memory > 0 else {
            throw EngineError(
                .containerEngineUnavailable,
                "the container engine does not say how many processors and how much memory its machine has: set "
                    + "allocation.cpus and allocation.memory")
        }
        return HostSize(cpus: Double(cpus), memoryBytes: Int(memory))
    }

    package func resolve(image: String) async throws -> ResolvedImage {
        guard let details = try await client.inspectImage(image) else {
            throw EngineError(
                .imageNotFound,
                "the container engine does not have the image \"\(image)\": pull or load it, or name another one")
        }
        volumes.withLock { $0[details.id] = details.volumes }
        return ResolvedImage(reference: image, digest: details.id)
    }

    package func start(_ specification: SandboxSpecification) async throws -> StartedSandbox {
        let name = "slipway-\(specification.id)"
        var stream: (any SandboxStream)?
        let network = try await joinNetwork(specification.sandboxClass)
        do {
            try verifyMounts(of: specification.sandboxClass)
            try await provideRunner(for: specification.sandboxClass.imageID)
            // Not to be cancelled: the container engine would go on, and what it makes come after the removal below.
            let creation = Task { try await create(name, specification, network) }
            switch try await creation.value {
            case .created(_, let warnings):
                for warning in warnings where !warning.contains("swap limit") {
                    logger.debug("the container engine warns", metadata: ["warning": "\(warning)"])
                }
            case .nameTaken:
                // Our own earlier try, whose answer was lost: the names are random.
                break
            }
            // Before the start, so that nothing is missed and the supervisor is greeted at once.
            stream = transport == .attach ? try await openStream(specification.id, container: name) : nil
            try await client.startContainer(name)
            guard let details = try await client.inspectContainer(name) else {
                throw EngineError(.startFailed, "the container was removed while it started")
            }
            guard details.state.status == .running, details.state.processID > 0 else {
                throw EngineError(.startFailed, "the container ended at once: \(Self.reason(details.state))")
            }
            try verifyMounts(of: specification.sandboxClass, in: details.state.processID)
            try await entered(network, details.state.processID)
            return StartedSandbox(
                handle: SandboxHandle(id: specification.id, reference: details.id), peer: details.state.processID,
                stream: stream)
        } catch {
            let lines = await diagnose(SandboxHandle(id: specification.id, reference: name))
            stream?.close()
            await runnerVolume.doubt()
            await environmentVolume.doubt()
            forgetTail(of: specification.id)
            await discard(name)
            await leave(network)
            throw Self.explained(error, specification.sandboxClass.image, lines)
        }
    }

    package func confine(_ handle: SandboxHandle, to sandboxClass: SandboxClass) async throws {
        guard sandboxClass.cpus < Self.startingCPUs else { return }
        try await client.updateContainer(handle.reference, .init(nanoCPUs: Int64(sandboxClass.cpus * 1e9)))
    }

    package func keep(_ handle: SandboxHandle, to processors: ProcessorList) async throws {
        try await client.updateContainer(handle.reference, .init(processors: processors.text))
    }

    package func destroy(_ handle: SandboxHandle) async throws {
        forgetTail(of: handle.id)
        // A pooled sandbox is killed, never stopped: its first process need not obey SIGTERM.
        try await client.removeContainer(handle.reference, force: true, withVolumes: true)
    }

    package func pause(_ handle: SandboxHandle) async throws { try await client.pauseContainer(handle.reference) }

    package func resume(_ handle: SandboxHandle) async throws {
        try await client.unpauseContainer(handle.reference)
    }

    package func inspect(_ handle: SandboxHandle) async throws -> SandboxCondition {
        guard let details = try await client.inspectContainer(handle.reference) else {
            return .gone(reason: "the container is gone")
        }
        switch details.state.status {
        case .running where details.state.processID > 0 && isAlive(details.state.processID):
            return .running(peer: details.state.processID)
        case .running: return .gone(reason: "the container's first process is gone")
        case .paused: return .paused
        case .created, .restarting, .removing, .exited, .dead, .other:
            return .gone(reason: Self.reason(details.state))
        }
    }

    package func diagnose(_ handle: SandboxHandle) async -> String {
        if let tail = tail(of: handle.id) { return tail }
        // The log only adds to a message about another failure.
        let output = try? await client.logs(handle.reference, tailLines: 20)
        return output.map { String(decoding: $0.standardOutput + $0.standardError, as: UTF8.self) } ?? ""
    }

    package func leftovers() async throws -> [SandboxHandle] {
        if !options.sharesFolders { await runnerVolume.reconcile() }
        return try await client.listContainers(labels: [Self.engineLabel: options.engineID]).compactMap { summary in
            guard let text = summary.labels[Self.sandboxLabel], let id = SandboxID(text), !helpers.contains(id)
            else { return nil }
            return SandboxHandle(id: id, reference: summary.id)
        }
    }

    /// Brings the runner's files to an engine that cannot mount them from here, and makes the volume of environments.
    private func provideRunner(for imageID: String) async throws {
        guard !options.sharesFolders else { return }
        var spec = ContainerSpec(image: imageID)
        spec.entrypoint = ["python3"]
        harden(&spec)
        spec.networkMode = "none"
        try await runnerVolume.provide(spec)
        if options.environmentsFolder != nil { try await environmentVolume.provideOnce() }
    }

    func discard(_ name: String) async {
        await client.discard(name) { [logger] error in
            logger.warning(
                "a container of no more use could not be removed",
                metadata: ["container": "\(name)", "reason": "\(error)"])
        }
    }

    /// What a container of a sandbox is made with: the hardening of the product stands here.
    func container(
        for specification: SandboxSpecification, in network: EgressNetworks.Network?
    ) -> ContainerSpec {
        let kind = specification.sandboxClass
        var arguments = SupervisorArguments(
            sandbox: specification.id.description,
            socket: transport == .unix ? Self.socketTarget + "/s" : nil,
            userIDs: specification.userIDs, slots: kind.slots, heartbeatSeconds: options.heartbeatSeconds,
            reconnectSeconds: options.reconnectSeconds, temporaryFolder: "/tmp", runtime: name)
        arguments.relay = relay(of: kind, socket: Self.socketTarget + "/r")
        let mps = options.mps?.place(for: kind.gpus)
        if mps != nil { arguments.shared = [MPSService.sharedMemoryTarget, MPSService.pipesTarget] }
        arguments.kept = kind.mounts.filter(\.writable).map(\.target)
        var spec = ContainerSpec(image: kind.imageID)
        spec.entrypoint = ["python3"]
        let program = specification.program
        spec.command = program.options + ["\(Self.runnerTarget)/\(program.rawValue)", arguments.text]
        spec.environment = program.environment(memoryBytes: kind.memoryBytes, hugePages: options.hugePages)
        harden(&spec)
        if transport == .attach {
            // Kept open, so that a restarted engine can attach again; a log would hold every frame.
            spec.standardInput = .kept
            spec.logDriver = ContainerSpec.LogDriver.none
        }
        spec.labels = [
            Self.engineLabel: options.engineID, Self.sandboxLabel: specification.id.description,
            Self.poolLabel: kind.image,
        ]
        connect(&spec, kind, network)
        spec.mounts = mounts(for: specification)
        if let mps {
            // Both as NVIDIA's own device plugin mounts them: a client that cannot use them runs without a limit.
            spec.mounts.append(.bind(source: mps.pipes, target: MPSService.pipesTarget, isReadOnly: false))
            spec.mounts.append(
                .bind(source: mps.sharedMemory, target: MPSService.sharedMemoryTarget, isReadOnly: false))
        }
        // Empty files take kernel memory that no size bounds, and are as many as inodes allow.
        let inodes = max(1024, kind.tmpBytes / Self.bytesPerInode)
        let files = lacksInodeLimit.load(ordering: .relaxed) ? "" : ",nr_inodes=\(inodes)"
        spec.tmpfs = ["/tmp": "rw,nosuid,nodev,exec,mode=1777,size=\(kind.tmpBytes)\(files)"]
        for path in volumes.withLock({ $0[kind.imageID] ?? [] }) where path != "/tmp" {
            // A volume of the image would stay writable under the read-only root, and outlive nothing of ours.
            spec.tmpfs[path] = "rw,nosuid,nodev,noexec,mode=0555,size=4k"
        }
        if let granted = kind.gpus?.granted, !granted.isEmpty {
            spec.deviceRequests = [ContainerSpec.DeviceRequest(driver: "nvidia", deviceIDs: granted)]
        } else {
            // Where NVIDIA's runtime is the engine's default, an image's own variable would give it every device.
            spec.environment.append((name: "NVIDIA_VISIBLE_DEVICES", value: "void"))
        }
        spec.runtime = kind.ociRuntime
        spec.processLimit = Int64(kind.pids)
        spec.nanoCPUs = Int64(max(kind.cpus, Self.startingCPUs) * 1e9)
        spec.memoryBytes = Int64(kind.memoryBytes)
        spec.memorySwapBytes = Int64(kind.memoryBytes)
        spec.sharedMemoryBytes = Int64(kind.shmBytes)
        // Where it is 0 the container's own value stands; lowering it would need a capability.
        spec.outOfMemoryScoreAdjustment = options.oomScoreAdjustment > 0 ? options.oomScoreAdjustment : nil
        let open = Self.clampedOpenFiles(kind.openFiles)
        spec.userLimits = [
            .init(name: "nofile", soft: open, hard: open), .init(name: "core", soft: 0, hard: 0),
        ]
        return spec
    }

    /// What every container of ours has, whatever it is for.
    func harden(_ spec: inout ContainerSpec) {
        spec.user = "0:0"
        spec.workingDirectory = "/"
        spec.hostname = "sandbox"
        spec.hasReadOnlyRoot = true
        spec.droppedCapabilities = ["ALL"]
        spec.addedCapabilities = ["SETUID", "SETGID", "KILL"]
        spec.securityOptions = ["no-new-privileges:true"]
        if let profile = options.seccompProfile { spec.securityOptions.append("seccomp=\(profile)") }
        spec.ipcMode = "private"
        spec.usesInit = false
        spec.logDriver = .local(limitBytes: 1 << 20)
    }

    private func mounts(for specification: SandboxSpecification) -> [ContainerSpec.Mount] {
        let runner: ContainerSpec.Mount =
            options.sharesFolders
            ? .bind(
                source: byteCode.folder(for: specification.sandboxClass.imageID), target: Self.runnerTarget,
                isReadOnly: true)
            : .volume(name: runnerVolume.name, target: Self.runnerTarget, isReadOnly: true)
        var mounts = [runner]
        if transport == .unix {
            mounts.append(
                .bind(source: specification.socketFolder, target: Self.socketTarget, isReadOnly: true))
        }
        if let folder = options.environmentsFolder {
            mounts.append(
                options.sharesFolders
                    ? .bind(source: folder, target: Self.environmentsTarget, isReadOnly: true)
                    : .volume(name: environmentVolume.name, target: Self.environmentsTarget, isReadOnly: true))
        }
        for mount in specification.sandboxClass.mounts {
            mounts.append(.bind(source: mount.source, target: mount.target, isReadOnly: !mount.writable))
        }
        return mounts
    }

    /// The engine refuses a limit above its own hard limit, which is at least this process's in practice.
    private static func clampedOpenFiles(_ wanted: Int) -> Int64 {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return Int64(wanted) }
        // The supervisor itself needs some beyond what a task may have.
        return min(Int64(clamping: limit.rlim_max), Int64(max(wanted, 1024)))
    }

    /// Whether a process of the host lives; unknown ones count as living, since inspect said so.
    private func isAlive(_ pid: Int32) -> Bool {
        // Where no socket is shared, its number may be one of another machine.
        transport == .attach || kill(pid, 0) == 0 || errno == EPERM
    }

    private static func reason(_ state: ContainerDetails.State) -> String {
        if state.isOutOfMemoryKilled { return "it ran out of memory" }
        if !state.error.isEmpty { return state.error }
        return "it ended with exit code \(state.exitCode)"
    }

    /// Names what the user can change, for the failures that a wrong image causes.
    private static func explained(_ error: any Error, _ image: String, _ lines: String) -> any Error {
        guard let failure = error as? EngineError else { return error }
        let lower = failure.message.lowercased()
        if lower.contains("unknown runtime") || lower.contains("invalid runtime name") {
            return EngineError(
                .startFailed,
                "\(failure.message): add it to the container engine's daemon.json, or change runtime.oci_runtime",
                cause: failure)
        }
        guard failure.code == .startFailed else { return error }
        if lower.contains("python3"), lower.contains("not found") || lower.contains("no such file") {
            return EngineError(
                .startFailed,
                "the image \"\(image)\" has no python3, which the runner needs: use an image with Python 3.8 or later",
                cause: failure)
        }
        let tail = lines.trimmingCharacters(in: .whitespacesAndNewlines)
        return tail.isEmpty
            ? failure
            : EngineError(.startFailed, failure.message + "; its last output: " + tail.suffix(1000), cause: failure)
    }
}
