import SlipwayCore
import Synchronization
import TestSupport
import Testing

/// Other pools while the images of some are still to be pulled.
@Suite struct ReloadTests {
    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    @Test func noReloadWaitsForTheImagesOfAnother() async throws {
        let hangs: @Sendable (StubServer.Connection, String) -> Bool? = { connection, line in
            guard line.contains("/images/create") else { return nil }
            connection.hang()
            return false
        }
        try await StubbedEngine.with(answer: hangs) { test in
            var wanted = test.configuration
            var large = PoolClass(name: "large", policy: wanted.pools.defaults)
            large.image = "registry.example/large:1"
            wanted.pools.classes = [large]
            let (engine, first, isOver) = (test.engine, wanted, Flag())
            let reload = Task {
                let report = await engine.reload(first)
                isOver.set()
                return report
            }
            try await waitUntil("the image is being pulled") {
                test.stub.requests.contains { $0.line.contains("/images/create") }
            }
            try await waitUntil("the reload is over", within: .seconds(10)) { isOver.isSet }
            #expect(await reload.value.applied == ["pools.classes"])
            wanted.pools.defaults.max += 1
            let again = await engine.reload(wanted)
            #expect(again.applied.contains("pools.defaults.max"))
        }
    }
}
