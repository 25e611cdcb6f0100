import Foundation
import SlipwayCore

/// The container engine that live tests run against; it is shared, so tests touch their own containers only.
package enum ContainerEngine {
    /// `SLIPWAY_TEST_DOCKER_HOST`, else `DOCKER_HOST`, else the distribution's socket.
    package static let host: String = {
        let environment = ProcessInfo.processInfo.environment
        return environment["SLIPWAY_TEST_DOCKER_HOST"] ?? environment["DOCKER_HOST"] ?? "unix:///var/run/docker.sock"
    }()

    /// The path of its unix socket; nil for engines that are reached otherwise.
    package static var socketPath: String? {
        host.hasPrefix("unix://") ? String(host.dropFirst("unix://".count)) : nil
    }

    /// Whether it answers; without one, the tests that need it are reported as skipped.
    package static let answers: Bool = {
        guard let socketPath else { return false }
        let client = HTTPClient(.unix(socketPath))
        let response = try? client.exchangeBlocking(client.request("GET", "/_ping"))
        return response?.status == 200
    }()

    /// Runs `body` with a client of the engine.
    package static func withClient<Value>(
        isolation: isolated (any Actor)? = #isolation, _ body: (DockerClient) async throws -> Value
    ) async throws -> Value {
        try await DockerClient.with(
            try DockerEndpoint.resolve(configured: host, environment: [:]), isolation: isolation, body)
    }

    /// The containers that belong to one of our engines, running or not.
    package static func containers(of engineID: String) async throws -> [ContainerSummary] {
        try await withClient { try await $0.listContainers(labels: [DockerRuntime.engineLabel: engineID]) }
    }

    /// The container of a sandbox; nil when there is none.
    package static func container(ofSandbox sandbox: String) async throws -> ContainerSummary? {
        try await withClient { try await $0.listContainers(labels: [DockerRuntime.sandboxLabel: sandbox]) }.first
    }

    /// Writes an image into a file that another engine can load.
    package static func save(image: String, to file: String) async throws {
        guard let socketPath else { throw TestFailure("the engine has no socket") }
        let fetch = Process()
        fetch.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        let encoded = image.replacingOccurrences(of: "/", with: "%2F")
        fetch.arguments = ["-sf", "--unix-socket", socketPath, "-o", file, "http://localhost/images/\(encoded)/get"]
        try fetch.run()
        try await onThread { fetch.waitUntilExit() }
        guard fetch.terminationStatus == 0 else { throw TestFailure("the image \(image) cannot be read") }
    }

    /// Removes what one of our engines keeps in volumes.
    package static func removeVolumes(of engineID: String) async throws {
        try await withClient { client in
            for volume in try await client.listVolumes(labels: [DockerRuntime.engineLabel: engineID]) {
                try await client.removeVolume(volume.name)
            }
        }
    }
}
