import Foundation
import SlipwayCore
import Testing

/// Whether builders of the live engine reach the package index.
enum PackageIndex {
    @Sendable static func answers() async -> Bool {
        guard await LiveEngine.answers() else { return false }
        do {
            let bench = try EnvironmentBench()
            let store = try await bench.store()
            _ = try await store.provide(try await bench.need(["cloudpickle==3.1.1"]), groupID: 60_001)
            try await bench.close()
            return true
        } catch let error as EngineError {
            // Only what the network lacks skips these tests; anything else is theirs to report.
            return !error.message.contains("no package index can be reached") && !error.message.contains("network")
        } catch {
            return true
        }
    }
}

@Suite("Environments from the package index", .enabled("builders reach no index", PackageIndex.answers), .serialized)
struct PackageIndexTests {
    let bench: EnvironmentBench

    init() throws { bench = try EnvironmentBench() }

    @Test("cloudpickle and a requirement are installed and imported")
    func install() async throws {
        let store = try await bench.store()
        let need = try await bench.need(["humanize"], cloudpickle: true)
        let id = try await store.provide(need, groupID: 60_001)
        let versions = try #require(store.list().first?.versions)
        #expect(versions["cloudpickle"]?.hasPrefix("3.") == true)
        #expect(versions["humanize"] != nil)
        let path = store.path(of: id, runtime: "docker")
        let code = """
            import sys; sys.path.insert(0, "\(path)")
            import cloudpickle, humanize, pickle
            print(pickle.loads(cloudpickle.dumps(lambda: humanize.intcomma(12345)))())
            """
        let told = try await bench.python(code, group: 60_001, root: store.rootFolder)
        #expect(told.output.contains("12,345"), "\(told.output)")
        try await bench.close()
    }

    @Test("a version that does not exist is named, with what pip said")
    func missing() async throws {
        let store = try await bench.store()
        let error = try await bench.failure(store, try await bench.need(["humanize==99.99"]))
        #expect(error.code == .dependency)
        #expect(error.message.contains("humanize==99.99"))
        #expect(error.message.contains("No matching distribution"))
        #expect(!error.message.contains("no package index can be reached"))
        try await bench.close()
    }
}
