import Foundation
import Logging
import SlipwayCore
import Testing

/// Data folders of versions that kept manifests beside the environments, which their owner could read.
@Suite("Environments of earlier versions")
final class EnvironmentUpgradeTests {
    let data: String
    var options: EnvironmentOptions

    init() throws {
        data = NSTemporaryDirectory() + "slipway-env-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        options = EnvironmentOptions(
            configuration: Configuration(), dataFolder: data, engineID: "engine", environment: [:])
    }

    deinit {
        // A temporary folder: what stays is the system's to remove.
        try? FileManager.default.removeItem(atPath: data)
    }

    private func open(_ builder: StubBuilder = StubBuilder()) async throws -> EnvironmentStore {
        try await EnvironmentStore(
            options: options, builders: [builder], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    /// Makes the folder what an earlier version would have left.
    private func age(_ id: String, copying: Bool = false) throws {
        let (new, old) = ("\(options.manifestFolder)/\(id).json", "\(options.rootFolder)/\(id).json")
        if copying {
            try FileManager.default.copyItem(atPath: new, toPath: old)
            try Data("torn".utf8).write(to: URL(fileURLWithPath: new))
        } else {
            try FileManager.default.moveItem(atPath: new, toPath: old)
            try FileManager.default.removeItem(atPath: options.manifestFolder)
        }
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o750], ofItemAtPath: "\(options.rootFolder)/\(id)")
    }

    @Test("a manifest is in no folder that sandboxes mount")
    func place() async throws {
        let store = try await open()
        let id = try await store.provide(try EnvironmentKeyTests.need(), groupID: 60_001)
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder) == [id])
        #expect(try FileManager.default.contentsOfDirectory(atPath: options.manifestFolder) == [id + ".json"])
        #expect(!options.manifestFolder.hasPrefix(store.rootFolder + "/"))
        #expect(try mode(options.manifestFolder) == 0o700)
        #expect(try mode("\(options.manifestFolder)/\(id).json") == 0o600)
        await store.prune(maxTotalBytes: 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: options.manifestFolder).isEmpty)
    }

    @Test(
        "manifests beside their environments are moved, and their environments serve as before",
        arguments: [false, true])
    func moved(wasInterrupted: Bool) async throws {
        let need = try EnvironmentKeyTests.need()
        let id = try await open().provide(need, groupID: 60_001)
        try age(id, copying: wasInterrupted)
        let builder = StubBuilder()
        let store = try await open(builder)
        #expect(store.installed(need) == id)
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder) == [id])
        #expect(try FileManager.default.contentsOfDirectory(atPath: options.manifestFolder) == [id + ".json"])
        #expect(try mode(options.manifestFolder) == 0o700)
        try await store.reconcile()
        #expect(store.installed(need) == id)
        #expect(builder.counts.withLock { $0.builds } == 0)
    }

    @Test("what nobody's manifest describes is removed from either folder")
    func leftovers() async throws {
        let (first, second) = (String(repeating: "ab", count: 12), String(repeating: "cd", count: 12))
        for folder in [options.rootFolder, options.manifestFolder] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(options.rootFolder)/\(first).json"))
        try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(options.manifestFolder)/\(second).json"))
        let store = try await open()
        #expect(store.list().isEmpty)
        try await store.reconcile()
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: options.manifestFolder).isEmpty)
    }

    @Test("environments that their owner could read are sealed anew at the start, those of processes are not")
    func closed() async throws {
        let need = try EnvironmentKeyTests.need()
        let id = try await open().provide(need, groupID: 60_001)
        let folder = "\(options.rootFolder)/\(id)"
        try age(id)
        _ = try await open(StubBuilder(sealsForGroups: false))
        #expect(try mode(folder) == 0o750)
        let store = try await open()
        #expect(try mode(folder) == 0o050)
        #expect(store.installed(need) == id)
        // Whoever owns it can remove it all the same.
        await store.prune(maxTotalBytes: 0)
        #expect(!FileManager.default.fileExists(atPath: folder))
    }
}
