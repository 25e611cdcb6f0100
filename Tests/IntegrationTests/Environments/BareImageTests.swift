import Foundation
import SlipwayCore
import Testing

/// An image that has Python and no pip.
enum BareImage {
    static let name = "slipway/python-bare:3.11"

    @Sendable static func exists() async -> Bool {
        guard await LiveEngine.answers() else { return false }
        do {
            let client = try LiveEngine.client()
            let details = try await client.inspectImage(name)
            await client.shutdown()
            return details != nil
        } catch {
            return false
        }
    }
}

@Suite("Environments for an image without pip", .enabled("there is no such image", BareImage.exists))
struct BareImageTests {
    @Test("the sandbox image installs for it; where that has no pip either, the remedy is named")
    func fallback() async throws {
        let bench = try EnvironmentBench()
        try bench.goOffline()
        let store = try await bench.store()
        let need = try await bench.need(["slipneeds"], image: BareImage.name)
        _ = try await store.provide(need, groupID: 60_001)
        #expect(store.list().first?.versions == ["slipneeds": "1.0", "slipdemo": "1.0"])
        bench.options.fallbackImage = BareImage.name
        let other = try await bench.store()
        let error = try await bench.failure(other, try await bench.need(["slipdemo"], image: BareImage.name))
        #expect(error.code == .dependency)
        #expect(error.message.contains("has no pip"), "\(error.message)")
        #expect(error.message.contains("environments.builder_image"))
        try await bench.close()
    }
}
