import Logging

/// Files that builders read, in a volume, for a container engine that does not see this machine's folders.
///
/// One volume for each version of the files, filled once; older ones are removed.
actor BuilderVolume {
    private let purpose: String
    private let filler: VolumeFiller
    private var filling: (version: String, task: Task<Void, any Error>)?

    /// - Parameter purpose: Tells volumes of builders apart: part of their names, and their role.
    init(_ purpose: String, client: DockerClient, engineID: String, logger: Logger) {
        self.purpose = purpose
        filler = VolumeFiller(client: client, engineID: engineID, logger: logger)
    }

    /// Makes sure that the files of a version are there; those who come at the same time wait for one upload.
    ///
    /// - Parameters:
    ///   - version: A short hash of the files.
    ///   - container: What a container that mounts the volume is made with, but for its mounts.
    ///   - helper: That container's name.
    /// - Returns: the volume's name.
    func provide(
        _ version: String, through container: ContainerSpec, named helper: String, _ entries: [ArchiveStream.Entry]
    ) async throws -> String {
        let name = name(of: version)
        if let filling, filling.version == version {
            try await filling.task.value
            return name
        }
        let task = Task { [filler, purpose] in
            _ = try await filler.fill(name, role: purpose, through: container, named: helper, entries)
        }
        filling = (version, task)
        do {
            try await task.value
        } catch {
            doubt()
            throw error
        }
        return name
    }

    /// Looks again for the next builder: somebody may have removed the volume.
    func doubt() { filling = nil }

    /// Removes the volumes of other versions, as far as no container uses them.
    func reconcile() async {
        guard let filling else { return }
        await filler.removeVolumes(role: purpose, but: [name(of: filling.version)])
    }

    private func name(of version: String) -> String {
        "slipway-\(purpose)-\(filler.engineID.filter { $0 != "-" }.prefix(12))-\(version)"
    }
}
