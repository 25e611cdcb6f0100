import Foundation
import SlipwayCore
import Testing

/// The container engine that the live tests run against.
enum LiveEngine {
    /// `SLIPWAY_TEST_DOCKER_HOST`, else `DOCKER_HOST`, else the distribution's socket.
    static func client() throws -> DockerClient {
        let environment = ProcessInfo.processInfo.environment
        let endpoint = try DockerEndpoint.resolve(
            configured: environment["SLIPWAY_TEST_DOCKER_HOST"], environment: environment)
        return DockerClient(endpoint: endpoint)
    }

    /// Whether an engine answers; without one the live tests are reported as skipped.
    @Sendable static func answers() async -> Bool {
        do {
            let client = try client()
            try await client.ping()
            await client.shutdown()
            return true
        } catch {
            return false
        }
    }

    static let image = "slipway/python:3.11"

    /// A name that no other test run uses.
    static func uniqueName(_ purpose: String) -> String {
        "slipway-test-\(purpose)-\(UInt64.random(in: 0 ... .max))"
    }

    /// A container that runs a shell line, hardened like a sandbox.
    static func spec(
        _ shell: String, labels: [String: String] = [:], input: ContainerSpec.StandardInput = .closed
    ) -> ContainerSpec {
        var spec = ContainerSpec(image: image)
        spec.entrypoint = ["/bin/sh", "-c"]
        spec.command = [shell]
        spec.networkMode = "none"
        spec.hasReadOnlyRoot = true
        spec.droppedCapabilities = ["ALL"]
        spec.securityOptions = ["no-new-privileges"]
        spec.ipcMode = "private"
        spec.processLimit = 64
        spec.memoryBytes = 128 * 1024 * 1024
        spec.memorySwapBytes = 128 * 1024 * 1024
        spec.labels = labels
        spec.standardInput = input
        return spec
    }

    /// Creates and starts a container, runs the body, and removes the container whatever happened.
    static func withContainer<Value>(
        _ client: DockerClient, _ spec: ContainerSpec, purpose: String = "container", start: Bool = true,
        _ body: (String) async throws -> Value
    ) async throws -> Value {
        let name = uniqueName(purpose)
        guard case .created(let id, _) = try await client.createContainer(name: name, spec) else {
            throw Unexpected("the name \(name) is taken")
        }
        do {
            if start { try await client.startContainer(id) }
            let value = try await body(id)
            try await client.removeContainer(id)
            return value
        } catch {
            try await client.removeContainer(id)
            throw error
        }
    }

    struct Unexpected: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }
}
