import Foundation
import Logging
import SlipwayCore
import Synchronization
import TestSupport
import Testing

/// Where a container engine keeps environments.
enum EnvironmentPlace: CaseIterable {
    /// In a folder of this machine, which it mounts.
    case folder
    /// In a volume of its own, as an engine on another machine does.
    case volume
}

/// A store in a temporary folder with builders of a live engine.
final class EnvironmentBench {
    let client: DockerClient
    let data: String
    let engineID = "test" + UUID().uuidString.lowercased()
    var options: EnvironmentOptions
    let tenant: TenantID
    private var isClosed = false

    init() throws {
        client = try LiveEngine.client()
        data = NSTemporaryDirectory() + "slipway-env-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        options = EnvironmentOptions(
            configuration: Configuration(), dataFolder: data, engineID: engineID,
            environment: ProcessInfo.processInfo.environment)
        options.fallbackImage = LiveEngine.image
        options.operatorImages = [LiveEngine.image]
        tenant = try #require(TenantID("tester"))
    }

    deinit {
        // Where a test failed before it closed; what is sealed then goes only if root runs the tests.
        if !isClosed {
            for name in [
                DockerEnvironmentBuilder.cacheVolume(engineID: engineID, tenant: tenant),
                DockerEnvironmentBuilder.sharedCacheVolume(engineID: engineID),
            ] { EngineSweep.removeVolume(name) }
            try? FileManager.default.removeItem(atPath: data)
        }
    }

    /// Installs without a network, from a folder of small wheels.
    func goOffline() throws {
        options.network = "none"
        options.findLinks = [try WheelFolder.make(in: data + "/wheels")]
    }

    /// Has environments kept elsewhere than in a folder.
    func use(_ place: EnvironmentPlace) { options.sharesFolders = place == .folder }

    /// The volume of the environments, where they are in one.
    var volume: String { "slipway-env-\(engineID.filter { $0 != "-" }.prefix(12))" }

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
        try await python(code, user: "20001:\(group)", root: root, isReadOnly: true)
    }

    /// Runs a line of Python as root of the container, who may change the environments.
    func rootPython(_ code: String) async throws -> (status: Int, output: String) {
        try await python(code, user: "0:0", root: options.rootFolder, isReadOnly: false)
    }

    /// Runs a line of Python as root of a sandbox, with the rights of its supervisor.
    func supervisorPython(_ code: String) async throws -> (status: Int, output: String) {
        try await python(
            code, user: "0:0", root: options.rootFolder, isReadOnly: true, capabilities: ["SETUID", "SETGID", "KILL"])
    }

    private func python(
        _ code: String, user: String, root: String, isReadOnly: Bool, capabilities: [String] = []
    ) async throws -> (status: Int, output: String) {
        var spec = LiveEngine.spec("")
        spec.entrypoint = ["python3", "-c", code]
        spec.command = []
        spec.user = user
        spec.logDriver = .local(limitBytes: 1 << 20)
        spec.addedCapabilities = isReadOnly ? capabilities : ["DAC_OVERRIDE", "FOWNER"]
        let target = DockerRuntime.environmentsTarget
        spec.mounts = [
            options.sharesFolders
                ? .bind(source: root, target: target, isReadOnly: isReadOnly)
                : .volume(name: volume, target: target, isReadOnly: isReadOnly)
        ]
        return try await LiveEngine.withContainer(client, spec, purpose: "env") { id in
            let status = try await self.client.waitForContainer(id)
            let log = try await self.client.logs(id)
            return (status, String(decoding: log.standardOutput + log.standardError, as: UTF8.self))
        }
    }

    /// Makes an image in which a program is a script instead.
    func image(replacing path: String, by script: String) async throws -> String {
        let name = LiveEngine.uniqueName("image")
        let (folder, file) = ((path as NSString).deletingLastPathComponent, (path as NSString).lastPathComponent)
        let spec = ContainerSpec(image: LiveEngine.image)
        return try await LiveEngine.withContainer(client, spec, purpose: "image", start: false) { id in
            try await self.client.putArchive(
                id, folder: folder, archive: ArchiveStream([.bytes(file, Array(script.utf8), mode: 0o755)]))
            let socket = try #require(ContainerEngine.socketPath)
            let answer = try await HTTPClient(.unix(socket)).send("POST", "/commit?container=\(id)&repo=\(name)&tag=1")
            guard answer.status == 201 else { throw LiveEngine.Unexpected("commit: \(answer.text)") }
            return name + ":1"
        }
    }

    /// Builders of this test that still exist.
    func containers() async throws -> [String] {
        try await client.listContainers(labels: ["slipway.engine": engineID]).map(\.id)
    }

    /// Volumes of this test that exist, by what they are for.
    func volumes() async throws -> [String: [String]] {
        let all = try await client.listVolumes(labels: ["slipway.engine": engineID])
        return Dictionary(grouping: all) { $0.labels?["slipway.role"] ?? "" }.mapValues { $0.map(\.name) }
    }

    func failure(_ store: EnvironmentStore, _ need: EnvironmentNeed) async throws -> EngineError {
        try #require(await #expect(throws: EngineError.self) { try await store.provide(need, groupID: 60_001) })
    }

    func close() async throws {
        // What is sealed only a builder can remove, unless root runs the tests.
        options.builderImage = nil
        options.fallbackImage = LiveEngine.image
        await (try await store()).prune(maxTotalBytes: 0)
        for volume in try await volumes().values.joined() { try await client.removeVolume(volume) }
        EngineSweep.removeVolume(DockerEnvironmentBuilder.sharedCacheVolume(engineID: engineID))
        await client.shutdown()
        isClosed = true
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
