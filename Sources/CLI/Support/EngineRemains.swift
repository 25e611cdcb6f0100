import Foundation
import SlipwayCore

/// What an engine of this process leaves in the container engine, where nobody will look for it any more.
enum EngineRemains {
    /// Removes containers and volumes that an engine left, such as the sandbox of a task that would not end.
    ///
    /// What cannot be removed is told on standard error.
    ///
    /// - Parameters:
    ///   - engineID: The engine's identifier, which its containers and volumes carry as a label.
    ///   - settings: The configuration that the engine was made with.
    static func remove(of engineID: String, _ settings: Configuration) async {
        do {
            guard let client = try client(settings) else { return }
            do {
                try await remove(of: engineID, client)
            } catch {
                await client.shutdown()
                throw error
            }
            await client.shutdown()
        } catch {
            Console.note("a sandbox may be left over: \(CommandExit(error)?.message ?? "")")
        }
    }

    /// A client of the container engine; nil where no container engine is used.
    static func client(_ settings: Configuration) throws -> DockerClient? {
        guard settings.runtime.default != .process else { return nil }
        let environment = ProcessInfo.processInfo.environment
        let endpoint = try DockerEndpoint.resolve(settings.docker, environment: environment)
        // With `auto`, an engine that nobody named is used where its socket is.
        if case .unix(let path) = endpoint.address, settings.runtime.default == .auto, settings.docker.host == nil,
            environment["DOCKER_HOST"] == nil, !FileManager.default.fileExists(atPath: path)
        {
            return nil
        }
        var options = DockerClient.Options()
        options.retryBudget = .seconds(2)
        return DockerClient(endpoint: endpoint, options: options)
    }

    private static func remove(of engineID: String, _ client: DockerClient) async throws {
        let labels = [DockerRuntime.engineLabel: engineID]
        for container in try await client.listContainers(labels: labels) {
            try await client.removeContainer(container.id, force: true, withVolumes: true)
        }
        for volume in try await client.listVolumes(labels: labels) {
            try await client.removeVolume(volume.name, force: true)
        }
    }
}
