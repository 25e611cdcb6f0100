import Foundation
import Logging

/// The runner's files in a volume, for an engine that does not see this machine's folders.
///
/// One volume for each version of the runner, filled once and mounted read-only in sandboxes.
actor RunnerVolume {
    private static let role = "runner"

    /// The volume's name.
    nonisolated let name: String
    private let helpers: HelperContainers
    private let filler: VolumeFiller
    private var filling: Task<Void, any Error>?

    init(client: DockerClient, engineID: String, helpers: HelperContainers, logger: Logger) {
        self.helpers = helpers
        filler = VolumeFiller(client: client, engineID: engineID, logger: logger)
        name = "slipway-runner-\(engineID.filter { $0 != "-" }.prefix(12))-\(RunnerFiles.version)"
    }

    /// Makes sure that the files are there; those who come at the same time wait for one upload.
    ///
    /// - Parameter container: What a container that mounts the volume is made with, but for its mounts.
    func provide(_ container: ContainerSpec) async throws {
        if let filling { return try await filling.value }
        let task = Task { [filler, helpers, name] in
            try await helpers.with { id in
                var spec = container
                spec.labels = [DockerRuntime.engineLabel: filler.engineID, DockerRuntime.sandboxLabel: id.description]
                _ = try await filler.fill(name, role: Self.role, through: spec, named: "slipway-\(id)", Self.entries)
            }
        }
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
    func reconcile() async { await filler.removeVolumes(role: Self.role, but: [name]) }

    private static var entries: [ArchiveStream.Entry] {
        var entries: [ArchiveStream.Entry] = []
        var folders: Set<String> = []
        for file in RunnerFiles.all {
            let folder = (file.name as NSString).deletingLastPathComponent
            if !folder.isEmpty, folders.insert(folder).inserted { entries.append(.folder(folder, mode: 0o755)) }
            entries.append(.bytes(file.name, file.bytes, mode: 0o644))
        }
        return entries
    }
}
