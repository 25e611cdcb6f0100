import Foundation

/// The volume of an engine's environments, on a container engine that does not see this machine's folders.
///
/// Sandboxes mount it read-only and whole; builders never do.
actor EnvironmentVolume {
    /// The value of `DockerRuntime.roleLabel`.
    static let role = "environments"
    /// The label that tells a volume from a later one of the same name.
    private static let identityLabel = "slipway.volume"

    /// The volume's name.
    nonisolated let name: String
    private let client: DockerClient
    private let engineID: String
    private var isProvided = false

    init(client: DockerClient, engineID: String) {
        self.client = client
        self.engineID = engineID
        name = "slipway-env-\(engineID.filter { $0 != "-" }.prefix(12))"
    }

    /// Makes the volume where there is none; returns what stays the same for as long as it exists.
    func provide() async throws -> String {
        let labels = [
            DockerRuntime.engineLabel: engineID, DockerRuntime.roleLabel: Self.role,
            Self.identityLabel: UUID().uuidString.lowercased(),
        ]
        let volume = try await client.createVolume(name: name, labels: labels)
        isProvided = true
        // After somebody removed it the next container that mounts it makes a new one, without labels.
        return volume.labels?[Self.identityLabel] ?? "unlabelled"
    }

    /// Makes the volume before the first container that mounts it, so that it has its labels.
    func provideOnce() async throws {
        if !isProvided { _ = try await provide() }
    }

    /// Looks again at the next start: somebody may have removed it.
    func doubt() { isProvided = false }
}
