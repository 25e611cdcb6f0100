import Foundation
import Logging
import SlipwayCore
import TestSupport
import Testing

/// Builds that wait for their turn.
@Suite("The line of builds")
struct EnvironmentLineTests {
    private func open(_ builder: StubBuilder, in folder: TemporaryFolder) async throws -> EnvironmentStore {
        let options = EnvironmentOptions(
            configuration: Configuration(), dataFolder: folder.path, engineID: "engine", environment: [:])
        return try await EnvironmentStore(
            options: options, builders: [builder], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func need(_ name: String, of tenant: String) throws -> EnvironmentNeed {
        var need = try EnvironmentKeyTests.need(["\(name)==1"])
        need.tenant = try #require(TenantID(tenant))
        return need
    }

    @Test("what nobody waits for any more is not built, and other tenants have their turn before a tenant's third")
    func givenUp() async throws {
        let folder = try TemporaryFolder()
        let builder = StubBuilder(isOpen: false)
        let store = try await open(builder, in: folder)
        let running = try (0..<2).map { index in
            let need = try need("a\(index)", of: "a")
            return Task { try await store.provide(need, groupID: 60_001) }
        }
        await builder.waitForBuilds(2)
        let givenUp = try (2..<8).map { index in
            let need = try need("a\(index)", of: "a")
            return Task { try await store.provide(need, groupID: 60_001) }
        }
        let ordered = try need("ordered", of: "a")
        store.begin(ordered, groupID: 60_001)
        let other = try need("b", of: "b")
        let neighbour = Task { try await store.provide(other, groupID: 60_002) }
        _ = try await eventually("all builds are known") { store.keyText(of: other) != nil ? true : nil }
        try await Task.sleep(for: .milliseconds(50))
        for task in givenUp { task.cancel() }
        for task in givenUp { await #expect(throws: EngineError.self) { try await task.value } }
        builder.open()
        for task in running { _ = try await task.value }
        _ = try await neighbour.value
        _ = try await eventually("the one that was ordered is there") { store.installed(ordered) }
        // Two that ran, the neighbour's, and the one that was ordered.
        #expect(builder.counts.withLock { $0.builds } == 4)
        // A new wish for one that was given up begins anew.
        _ = try await store.provide(try need("a2", of: "a"), groupID: 60_001)
        #expect(builder.counts.withLock { $0.builds } == 5)
    }
}
