import Logging

/// Fills volumes of an engine that does not see this machine's folders.
///
/// Files travel through a container that is created and never started, so that nothing runs meanwhile.
struct VolumeFiller: Sendable {
    /// Written last: a volume without it is filled again.
    private static let mark = ".complete"

    let client: DockerClient
    let engineID: String
    let logger: Logger

    /// Fills a volume, unless that was done before.
    ///
    /// - Parameters:
    ///   - volume: The volume's name; it is made where there is none.
    ///   - role: What it is for, in its label.
    ///   - container: What a container is made with that mounts it, but for its mounts; its labels tell whose it is.
    ///   - helper: The container's name.
    /// - Returns: whether something had to be sent.
    @discardableResult
    func fill(
        _ volume: String, role: String, through container: ContainerSpec, named helper: String,
        _ entries: [ArchiveStream.Entry]
    ) async throws -> Bool {
        try await client.createVolume(
            name: volume, labels: [DockerRuntime.engineLabel: engineID, DockerRuntime.roleLabel: role])
        let target = "/volume"
        var spec = container
        spec.mounts = [.volume(name: volume, target: target, isReadOnly: false)]
        do {
            _ = try await client.createContainer(name: helper, spec)
            let isFilled = try await client.hasPath("\(target)/\(Self.mark)", in: helper)
            if !isFilled {
                try await client.putArchive(helper, folder: target, archive: ArchiveStream(entries))
                try await client.putArchive(
                    helper, folder: target, archive: ArchiveStream([.bytes(Self.mark, [], mode: 0o644)]))
                logger.debug("filled a volume", metadata: ["volume": "\(volume)", "role": "\(role)"])
            }
            await discard(helper)
            return !isFilled
        } catch {
            await discard(helper)
            throw error
        }
    }

    /// Removes the volumes of a role but those that are named, as far as no container uses them.
    func removeVolumes(role: String, but kept: Set<String>) async {
        do {
            let labels = [DockerRuntime.engineLabel: engineID, DockerRuntime.roleLabel: role]
            for volume in try await client.listVolumes(labels: labels) where !kept.contains(volume.name) {
                try await client.removeVolume(volume.name)
            }
        } catch {
            logger.debug("an old volume stays for now", metadata: ["role": "\(role)", "reason": "\(error)"])
        }
    }

    private func discard(_ helper: String) async {
        await client.discard(helper) { error in
            logger.warning(
                "a container of no more use could not be removed",
                metadata: ["container": "\(helper)", "reason": "\(error)"])
        }
    }
}
