import Foundation
import Logging
import SlipwayCore
import Synchronization
import Testing

/// A store in a temporary folder with builders of a live engine.
final class EnvironmentBench {
    let client: DockerClient
    let data: String
    let engineID = "test" + UUID().uuidString.lowercased()
    var options: EnvironmentOptions
    let tenant: TenantID

    init() throws {
        client = try LiveEngine.client()
        data = NSTemporaryDirectory() + "slipway-env-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        options = EnvironmentOptions(
            configuration: Configuration(), dataFolder: data, engineID: engineID,
            environment: ProcessInfo.processInfo.environment)
        options.fallbackImage = LiveEngine.image
        tenant = try #require(TenantID("tester"))
    }

    /// Installs without a network, from a folder of small wheels.
    func goOffline() throws {
        options.network = "none"
        options.findLinks = [try WheelFolder.make(in: data + "/wheels")]
    }

    func store(_ runtime: String = "docker") async throws -> EnvironmentStore {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let builder: any EnvironmentBuilder =
            runtime == "docker"
            ? DockerEnvironmentBuilder(client: client, options: options, logger: logger)
            : ProcessEnvironmentBuilder(options: options)
        return try await EnvironmentStore(options: options, builders: [builder], logger: logger)
    }

    func need(
        _ requirements: [String], cloudpickle: Bool = false, image: String = LiveEngine.image
    ) async throws -> EnvironmentNeed {
        let details = try #require(try await client.inspectImage(image))
        return EnvironmentNeed(
            tenant: tenant, runtime: "docker", image: ResolvedImage(reference: image, digest: details.id),
            requirements: requirements, needsCloudpickle: cloudpickle)
    }

    /// Runs a line of Python like a task: no rights, a user and a group, the environments mounted read-only.
    func python(_ code: String, group: Int, root: String) async throws -> (status: Int, output: String) {
        var spec = LiveEngine.spec("")
        spec.entrypoint = ["python3", "-c", code]
        spec.command = []
        spec.user = "20001:\(group)"
        spec.logDriver = .local(limitBytes: 1 << 20)
        spec.mounts = [.bind(source: root, target: DockerRuntime.environmentsTarget, isReadOnly: true)]
        return try await LiveEngine.withContainer(client, spec, purpose: "env") { id in
            let status = try await self.client.waitForContainer(id)
            let log = try await self.client.logs(id)
            return (status, String(decoding: log.standardOutput + log.standardError, as: UTF8.self))
        }
    }

    /// Builders of this test that still exist.
    func containers() async throws -> [String] {
        try await client.listContainers(labels: ["slipway.engine": engineID]).map(\.id)
    }

    func failure(_ store: EnvironmentStore, _ need: EnvironmentNeed) async throws -> EngineError {
        try #require(await #expect(throws: EngineError.self) { try await store.provide(need, groupID: 60_001) })
    }

    func close() async throws {
        // What is sealed only a builder can remove, unless root runs the tests.
        options.builderImage = nil
        options.fallbackImage = LiveEngine.image
        await (try await store()).prune(maxTotalBytes: 0)
        try await client.removeVolume(DockerEnvironmentBuilder.cacheVolume(engineID: engineID, tenant: tenant))
        await client.shutdown()
        // A temporary folder: what stays is the system's to remove.
        try? FileManager.default.removeItem(atPath: data)
    }
}

/// Gathers what a build says.
final class HeardText: Sendable {
    private let heard = Mutex("")
    var text: String { heard.withLock { $0 } }
    func take(_ text: String) { heard.withLock { $0 += text } }
}
