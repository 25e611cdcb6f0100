import Foundation
import Logging
import Synchronization

/// Installs requirements in hardened containers of a Docker engine.
///
/// Each build has a container of its own, which sees one folder to fill, its specification, the tenant's pip cache and
/// nothing else of the host. It runs in the job's image, so that what is installed fits it. The code of packages runs
/// as a user without rights; everything that needs root (sealing, and removing what is sealed) happens in there too,
/// so that the engine itself need not be root.
///
/// On an engine that does not see this machine's folders, a builder fills a volume of its own. What is finished is
/// copied into the volume of all environments by another container, of the operator's image, in which no code of
/// packages or tenants runs.
package final class DockerEnvironmentBuilder: EnvironmentBuilder {
    /// The value of `DockerRuntime.roleLabel`.
    package static let role = "builder"
    /// How long a builder may take to report after the build's own limit.
    private static let grace = Duration.seconds(30)

    package let runtime = "docker"
    let options: EnvironmentOptions
    let client: DockerClient
    let logger: Logger
    /// Where the environments are, when the engine does not see this machine's folders.
    let remote: RemoteStorage?
    /// The networks of the mode `egress`; nil where nothing uses them.
    let networks: EgressNetworks?
    private let known = Mutex(Known())

    private struct Known {
        var interpreters: [String: Interpreter] = [:]
        var volumes: [String: [String]] = [:]
        var program: String?
        var cpuCount: Int?
        /// Containers and volumes of builds that run now.
        var active: Set<String> = []
    }

    package init(
        client: DockerClient, options: EnvironmentOptions, networks: EgressNetworks? = nil, logger: Logger
    ) {
        self.client = client
        self.options = options
        self.networks = networks
        self.logger = logger
        remote = options.sharesFolders ? nil : RemoteStorage(client: client, engineID: options.engineID, logger: logger)
    }

    package func prepare() async {}

    package func identity(of image: ResolvedImage) -> String { image.digest }

    package func path(of id: String) -> String { DockerRuntime.environmentsTarget + "/" + id }

    package func build(_ order: BuildOrder) async throws -> BuildResult {
        if remote != nil { return try await buildRemotely(order) }
        let target = ContainerSpec.Mount.bind(source: order.target, target: Self.buildTarget, isReadOnly: false)
        var result = try await build(order, in: target)
        if options.builderImage == nil, !options.isOperators(order.image) {
            result.bytes = try await sealAgain(order, target)
        }
        return result
    }

    /// Seals and counts, in a container of the operator's image, what an image installed that may have done neither.
    private func sealAgain(_ order: BuildOrder, _ target: ContainerSpec.Mount) async throws -> Int? {
        var spec = BuildSpec(.seal)
        spec.group = order.groupID
        spec.maxBytes = options.maxTotalBytes
        do {
            let result = try await keep(spec, in: target)
            guard result.ok else {
                throw BuildFailure(result, order.requirements, image: order.image.reference).error
            }
            return result.bytes
        } catch let error as EngineError where error.code == .imageNotFound {
            throw EngineError(
                .dependency,
                "the container engine does not have the image \"\(options.fallbackImage)\" (sandbox.image), by which "
                    + "the environments of other images are checked: pull or load it, or name the image "
                    + "\"\(order.image.reference)\" in a class of pools.classes or as environments.builder_image",
                cause: error)
        }
    }

    /// Fills and seals what is mounted as `target`.
    func build(_ order: BuildOrder, in target: ContainerSpec.Mount) async throws -> BuildResult {
        let own = order.image.digest.isEmpty ? order.image.reference : order.image.digest
        let image = options.builderImage ?? own
        let expected = image == own ? nil : try await interpreter(of: own, order)
        var result = try await install(order, image: image, expected: expected, in: target)
        if result.kind == BuildFailure.Kind.noPip.rawValue, image == own, let missing = result.interpreter {
            do {
                result = try await install(order, image: options.fallbackImage, expected: missing, in: target)
            } catch let error as EngineError where error.code == .imageNotFound {
                throw BuildFailure(result, order.requirements, image: order.image.reference).error
            }
        }
        guard result.ok else {
            throw BuildFailure(result, order.requirements, image: order.image.reference).error
        }
        return result
    }

    package func remove(_ names: [String]) async throws {
        var spec = BuildSpec(.remove)
        spec.names = names
        let result = try await keep(spec)
        guard result.ok else {
            throw EngineError(.storage, "environments could not be removed: \(result.detail ?? "no reason given")")
        }
    }

    package func close(_ names: [String]) async throws {
        var spec = BuildSpec(.close)
        spec.names = names
        let result = try await keep(spec)
        guard result.ok else {
            throw EngineError(.storage, "environments could not be sealed anew: \(result.detail ?? "no reason given")")
        }
    }

    package func reconcile() async throws {
        let labels = [DockerRuntime.engineLabel: options.engineID, DockerRuntime.roleLabel: Self.role]
        for container in try await client.listContainers(labels: labels) {
            if known.withLock({ !$0.active.isDisjoint(with: container.names) }) { continue }
            try await client.removeContainer(container.id, force: true, withVolumes: true)
        }
        await remote?.reconcile(keeping: known.withLock { $0.active })
    }

    /// Does something to the environments' root, in a container of the operator's image that runs no code of tenants.
    ///
    /// - Parameter place: A part of the root, where that is enough.
    func keep(
        _ order: BuildSpec, in place: ContainerSpec.Mount? = nil, with more: [ContainerSpec.Mount] = []
    ) async throws -> BuildResult {
        let work = try Self.makeWork(below: options.workFolder)
        // Only a few small files; what stays is removed at the next start.
        defer { try? FileManager.default.removeItem(atPath: work) }
        var spec = order
        spec.target = Self.buildTarget
        let image = options.builderImage ?? options.fallbackImage
        let root: ContainerSpec.Mount =
            place ?? remote.map { .volume(name: $0.environments.name, target: Self.buildTarget, isReadOnly: false) }
            ?? .bind(source: options.rootFolder, target: Self.buildTarget, isReadOnly: false)
        var container = try await container(
            image: image, work: work, inputs: try await inputs(image: image, isComplete: false), mounts: [root] + more)
        container.networkMode = "none"
        container.addedCapabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
        return try await run(spec, container, work, of: .default, limit: .minutes(10))
    }

    private func install(
        _ order: BuildOrder, image: String, expected: Interpreter?, in target: ContainerSpec.Mount
    ) async throws -> BuildResult {
        let inputs = try await inputs(image: image, isComplete: true)
        var spec = BuildSpec(order, options: options)
        spec.target = Self.buildTarget
        spec.user = options.buildUser
        spec.expected = expected
        spec.caBundle = inputs.bundle
        spec.findLinks = inputs.links
        var mounts = [target]
        if options.pipCache != .none {
            let name =
                order.usesSharedCache(options)
                ? Self.sharedCacheVolume(engineID: options.engineID)
                : Self.cacheVolume(engineID: options.engineID, tenant: order.tenant)
            try await client.createVolume(
                name: name,
                labels: [DockerRuntime.engineLabel: options.engineID, DockerRuntime.roleLabel: "pip-cache"])
            mounts.append(.volume(name: name, target: Self.cacheTarget, isReadOnly: false))
            spec.cache = Self.cacheTarget
        }
        var sent: [ArchiveStream.Entry] = []
        if let project = order.project {
            spec.project = Self.projectTarget
            if remote == nil {
                mounts.append(.bind(source: project.path, target: Self.projectTarget, isReadOnly: true))
            } else {
                spec.project = "\(Self.workTarget)/\(ProjectTree.archiveName)"
                sent = try ProjectTree.entries(of: project.path)
            }
        }
        let container = try await container(image: image, work: order.work, inputs: inputs, mounts: mounts)
        return try await run(
            spec, container, order.work, of: order.tenant, sending: sent, limit: options.buildTimeout + Self.grace)
    }

    /// What the Python of an image is like; asked once for each image.
    private func interpreter(of image: String, _ order: BuildOrder) async throws -> Interpreter {
        if let found = known.withLock({ $0.interpreters[image] }) { return found }
        var container = try await container(
            image: image, work: order.work, inputs: try await inputs(image: image, isComplete: false), mounts: [])
        container.networkMode = "none"
        let result = try await run(BuildSpec(.probe), container, order.work, of: order.tenant, limit: .seconds(60))
        guard let found = result.interpreter else {
            throw BuildFailure(result, order.requirements, image: order.image.reference).error
        }
        known.withLock { known in
            if known.interpreters.count >= 256 { known.interpreters = [:] }
            known.interpreters[image] = found
        }
        return found
    }

    /// The folder of the builder's program, written when it is first needed.
    func program() throws -> String {
        if let folder = known.withLock({ $0.program }) { return folder }
        let folder = try BuilderFiles.install(below: options.programFolder)
        known.withLock { $0.program = folder }
        return folder
    }

    /// The paths that an image declares as volumes.
    func volumes(of image: String) async throws -> [String] {
        if let found = known.withLock({ $0.volumes[image] }) { return found }
        guard let details = try await client.inspectImage(image) else {
            throw EngineError(
                .imageNotFound,
                "the container engine does not have the builder's image \"\(image)\": pull or load it, or name another "
                    + "one as environments.builder_image")
        }
        known.withLock { known in
            if known.volumes.count >= 256 { known.volumes = [:] }
            known.volumes[image] = details.volumes
        }
        return details.volumes
    }

    /// The engine refuses more processors than its machine has.
    func clampedCpus() async throws -> Double {
        if let count = known.withLock({ $0.cpuCount }) { return min(options.buildCpus, Double(count)) }
        let count = try await client.info().cpuCount ?? 1
        known.withLock { $0.cpuCount = count }
        return min(options.buildCpus, Double(count))
    }

    /// Notes that a container or volume belongs to a build that runs, or no longer does.
    func note(_ name: String, isActive: Bool) {
        known.withLock { known in
            if isActive { known.active.insert(name) } else { known.active.remove(name) }
        }
    }

    /// A name that nothing else has.
    static func freshName() -> String { "slipway-build-\(UUID().uuidString.lowercased().prefix(18))" }

    static func makeWork(below folder: String) throws -> String {
        let work = "\(folder)/\(UUID().uuidString.lowercased())"
        try FileManager.default.createDirectory(
            atPath: work, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return work
    }

    func warn(_ message: Logger.Message, _ container: String, _ error: any Error) {
        logger.warning(message, metadata: ["container": "\(container)", "reason": "\(error)"])
    }
}
