import Foundation
import SlipwayCore
import TestSupport
import Testing

@Suite struct EngineFoldersTests {
    /// The folders of an engine below a folder of the test, which holds the folder `shared`, too.
    private func folders(_ name: String, artifacts: String?, in home: TemporaryFolder) throws -> EngineFolders {
        var configuration = Configuration()
        configuration.data.directory = "\(home.path)/\(name)"
        configuration.data.socketDirectory = home.path + "/s"
        configuration.data.artifacts = artifacts
        return try EngineFolders(configuration: configuration, environment: ["HOME": home.path])
    }

    @Test func oneEngineAtATimeHasAFolderOfPayloads() throws {
        let home = try TemporaryFolder()
        defer { withExtendedLifetime(home) {} }
        let shared = home.path + "/shared"
        let first = try folders("a", artifacts: shared, in: home)
        let refusal = #expect(throws: EngineError.self) { try folders("b", artifacts: shared, in: home) }
        #expect(refusal?.code == .configuration)
        #expect(refusal?.message.contains("uses the artifacts folder \(shared)") == true)
        #expect(refusal?.message.contains("data.artifacts") == true)
        first.unlock()
        let second = try folders("b", artifacts: shared, in: home)
        let last = try folders("c", artifacts: nil, in: home)
        #expect(throws: EngineError.self, "one that nobody named is locked, too") {
            try folders("d", artifacts: last.artifacts.path, in: home)
        }
        withExtendedLifetime((second, last)) {}
    }

    @Test func theFolderOfPayloadsMayBeInTheUsersHome() throws {
        let home = try TemporaryFolder()
        defer { withExtendedLifetime(home) {} }
        #expect(try folders("a", artifacts: "~/payloads", in: home).artifacts.path == home.path + "/payloads")
    }

    @Test func theLockStaysWhereTheStoreOfPayloadsCleansUp() throws {
        let home = try TemporaryFolder()
        defer { withExtendedLifetime(home) {} }
        let made = try folders("a", artifacts: nil, in: home)
        let attributes = try FileManager.default.attributesOfItem(atPath: made.artifacts.path)
        #expect(attributes[.posixPermissions] as? Int == 0o700)
        for _ in 0..<2 { _ = try ArtifactStore(options: .init(folder: made.artifacts.path)) }
        #expect(FileManager.default.fileExists(atPath: made.artifacts.path + "/.lock"))
        withExtendedLifetime(made) {}
    }
}
