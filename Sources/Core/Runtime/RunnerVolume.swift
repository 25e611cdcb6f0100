import Foundation
import Logging

/// The runner's files in a volume, for an engine that does not see this machine's folders.
///
/// One volume for each version of the runner, filled once through a container that is created and never started, and
/// mounted read-only in sandboxes.
actor RunnerVolume {
    /// The label that tells what a volume of ours is for.
    static let roleLabel = "slipway.role"
    private static let role = "runner"
    /// Written last: a volume without it is filled again.
    private static let mark = ".complete"

    /// The volume's name.
    nonisolated let name: String
    private let client: DockerClient
    private let engineID: String
    private let logger: Logger
    private var filling: Task<Void, any Error>?

    init(client: DockerClient, engineID: String, logger: Logger) {
        self.client = client
        self.engineID = engineID
        self.logger = logger
        name = "\(Self.prefix(engineID))-\(RunnerFiles.version)"
    }

    /// Makes sure that the files are there; those who come at the same time wait for one upload.
    ///
    /// - Parameter container: What a container that mounts the volume is made with, but for its mounts.
    func provide(_ container: ContainerSpec) async throws {
        if let filling { return try await filling.value }
        let task = Task { try await fill(container) }
        filling = task
        do {
            try await task.value
        } catch {
            filling = nil
            throw error
        }
    }

    /// Looks again at the next start: somebody may have removed the volume, and the engine makes an empty one then.
    func doubt() { filling = nil }

    /// Removes the volumes of other versions, as far as no container uses them.
    func reconcile() async {
        do {
            let labels = [DockerRuntime.engineLabel: engineID, Self.roleLabel: Self.role]
            for volume in try await client.listVolumes(labels: labels) where volume.name != name {
                try await client.removeVolume(volume.name)
            }
        } catch {
            logger.debug("an old volume of the runner stays for now", metadata: ["reason": "\(error)"])
        }
    }

    private func fill(_ container: ContainerSpec) async throws {
        try await client.createVolume(
            name: name, labels: [DockerRuntime.engineLabel: engineID, Self.roleLabel: Self.role])
        // Named and labelled as a sandbox, so that it is found and removed like one after a crash.
        let id = SandboxID()
        var spec = container
        spec.labels = [DockerRuntime.engineLabel: engineID, DockerRuntime.sandboxLabel: id.description]
        spec.mounts = [.volume(name: name, target: DockerRuntime.runnerTarget, isReadOnly: false)]
        let helper = "slipway-\(id)"
        _ = try await client.createContainer(name: helper, spec)
        do {
            try await upload(to: helper)
        } catch {
            await discard(helper)
            throw error
        }
        await discard(helper)
    }

    private func upload(to helper: String) async throws {
        let target = DockerRuntime.runnerTarget
        if try await client.hasPath("\(target)/\(Self.mark)", in: helper) { return }
        var archive = TarArchive()
        var folders: Set<String> = []
        for file in RunnerFiles.all {
            let folder = (file.name as NSString).deletingLastPathComponent
            if !folder.isEmpty, folders.insert(folder).inserted { try archive.addFolder(folder) }
            try archive.addFile(file.name, file.bytes)
        }
        try await client.putArchive(helper, folder: target, archive)
        var mark = TarArchive()
        try mark.addFile(Self.mark, [])
        try await client.putArchive(helper, folder: target, mark)
        logger.debug("filled a volume with the runner", metadata: ["volume": "\(name)"])
    }

    private func discard(_ helper: String) async {
        // A task of its own, which is awaited: the removal must not be cancelled together with what failed.
        await Task {
            do {
                // Named volumes stay.
                try await client.removeContainer(helper, force: true, withVolumes: true)
            } catch {
                logger.warning(
                    "a container of no more use could not be removed",
                    metadata: ["container": "\(helper)", "reason": "\(error)"])
            }
        }.value
    }

    private static func prefix(_ engineID: String) -> String {
        "slipway-runner-\(engineID.filter { $0 != "-" }.prefix(12))"
    }
}
