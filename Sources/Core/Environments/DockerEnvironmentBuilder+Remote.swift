import Foundation
import Logging

/// What a container engine that does not see this machine's folders keeps for builders.
struct RemoteStorage: Sendable {
    /// The role of volumes that one build fills.
    static let role = "build"

    let environments: EnvironmentVolume
    /// The builder's program.
    let program: BuilderVolume
    /// Authorities and wheels.
    let baggage: BuilderVolume
    private let filler: VolumeFiller

    init(client: DockerClient, engineID: String, logger: Logger) {
        environments = EnvironmentVolume(client: client, engineID: engineID)
        program = BuilderVolume("builder", client: client, engineID: engineID, logger: logger)
        baggage = BuilderVolume("wheels", client: client, engineID: engineID, logger: logger)
        filler = VolumeFiller(client: client, engineID: engineID, logger: logger)
    }

    /// Looks again whether the volumes hold what they should.
    func doubt() async {
        await program.doubt()
        await baggage.doubt()
    }

    /// Removes volumes that nothing uses any more.
    func reconcile(keeping active: Set<String>) async {
        await program.reconcile()
        await baggage.reconcile()
        await filler.removeVolumes(role: Self.role, but: active)
    }
}

extension DockerEnvironmentBuilder {
    /// Where the copying container sees what was installed.
    private static let sourceTarget = "/opt/slipway/source"
    /// How much of a builder's output is shown while it works.
    private static let outputBytesMax = 1 << 20

    package var volume: String? { remote?.environments.name }

    package func volumeIdentity() async throws -> String {
        guard let remote else { return "" }
        return try await remote.environments.provide()
    }

    package func survey(_ names: Set<String>, removesOthers: Bool) async throws -> Set<String> {
        var spec = BuildSpec(.survey)
        spec.names = names.sorted()
        spec.removes = removesOthers
        let result = try await keepRemotely(spec)
        guard result.ok else {
            throw EngineError(
                .storage, "the volume of environments cannot be looked through: \(result.detail ?? "no reason given")")
        }
        return Set(result.names ?? [])
    }

    /// Installs into a volume of the build's own, then has the result copied into that of all environments.
    func buildRemotely(_ order: BuildOrder) async throws -> BuildResult {
        let draft = Self.freshName()
        note(draft, isActive: true)
        defer { note(draft, isActive: false) }
        try await client.createVolume(
            name: draft,
            labels: [DockerRuntime.engineLabel: options.engineID, DockerRuntime.roleLabel: RemoteStorage.role])
        do {
            var result = try await build(
                order, in: .volume(name: draft, target: Self.buildTarget, isReadOnly: false))
            result.bytes = try await adopt(draft, order)
            await discard(volume: draft)
            return result
        } catch {
            await discard(volume: draft)
            throw error
        }
    }

    /// Copies what is installed; returns its bytes as they were counted there.
    private func adopt(_ draft: String, _ order: BuildOrder) async throws -> Int? {
        var spec = BuildSpec(.adopt)
        spec.source = Self.sourceTarget
        spec.name = order.id
        spec.draft = "\(order.id).tmp-\(UUID().uuidString.lowercased().prefix(8))"
        spec.group = order.groupID
        spec.maxBytes = options.maxTotalBytes
        let result = try await keepRemotely(
            spec, with: [.volume(name: draft, target: Self.sourceTarget, isReadOnly: true)])
        guard result.ok else {
            throw BuildFailure(result, order.requirements, image: order.image.reference).error
        }
        return result.bytes
    }

    private func keepRemotely(_ spec: BuildSpec, with more: [ContainerSpec.Mount] = []) async throws -> BuildResult {
        do {
            return try await keep(spec, with: more)
        } catch let error as EngineError where error.code == .imageNotFound {
            let key = options.builderImage == nil ? "sandbox.image" : "environments.builder_image"
            throw EngineError(
                .dependency,
                "the container engine does not have the image \"\(options.builderImage ?? options.fallbackImage)\" "
                    + "(\(key)), by which the environments of a remote engine are kept: pull or load it there",
                cause: error)
        }
    }

    private func discard(volume: String) async {
        // Even when the build was cancelled.
        await Task {
            do {
                try await client.removeVolume(volume)
            } catch {
                warn("the volume of a build could not be removed", volume, error)
            }
        }.value
    }

    // MARK: Files

    /// Puts the specification, and what else a build reads, into a container that is yet to be started.
    func send(_ spec: BuildSpec, _ more: [ArchiveStream.Entry], to container: String) async throws {
        // It may hold an index's password, which only root may read.
        let text = Array(try JSONEncoder().encode(spec))
        try await client.putArchive(
            container, folder: Self.workTarget,
            archive: ArchiveStream([.bytes(BuildSpec.fileName, text, mode: 0o600)] + more))
    }

    /// Brings the answer of a container that has ended here; there is none after a crash.
    func fetchResult(of container: String, into work: String) async throws {
        let place = "\(Self.workTarget)/\(BuildResult.fileName)"
        guard let bytes = try await client.readFile(place, in: container, limitBytes: BuildResult.limitBytes) else {
            return
        }
        try Data(bytes).write(to: URL(fileURLWithPath: "\(work)/\(BuildResult.fileName)"))
    }

    /// Writes what a builder says into the file that is followed here, while something else happens.
    func following<Value>(
        _ container: String, into work: String, _ body: () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.follow(container, into: "\(work)/\(BuildLogTail.fileName)") }
            let value = try await body()
            // The last lines come when the container has ended, or never.
            group.addTask { try await Task.sleep(for: .seconds(2)) }
            _ = await group.nextResult()
            group.cancelAll()
            return value
        }
    }

    private func follow(_ container: String, into path: String) async {
        do {
            let manager = FileManager.default
            guard
                manager.fileExists(atPath: path)
                    || manager.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
                let file = FileHandle(forWritingAtPath: path)
            else { return }
            try file.seekToEnd()
            var left = Self.outputBytesMax
            for try await frame in try await client.followLogs(container) {
                guard frame.stream == .standardOutput, left > 0 else { continue }
                try file.write(contentsOf: frame.bytes.prefix(left))
                left -= frame.bytes.count
            }
            try file.close()
        } catch {
            // What is missing is in the builder's answer.
            logger.debug(
                "a builder is no longer followed", metadata: ["container": "\(container)", "reason": "\(error)"])
        }
    }
}
