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

    @Test("uv installs where the builder's image has it, tells the same failures apart, and works without a network")
    func uv() async throws {
        let image = try await UVImage.make(bench)
        bench.options.builderImage = image
        let store = try await bench.store()
        let id = try await store.provide(try await bench.need(["humanize==4.9.0"], cloudpickle: true), groupID: 60_001)
        let status = try #require(store.status(of: bench.tenant).first)
        #expect(status.installer == "uv")
        #expect(status.packages.map(\.name) == ["cloudpickle", "humanize"])
        let path = store.path(of: id, runtime: "docker")
        let code = """
            import os, sys; sys.path.insert(0, "\(path)")
            import cloudpickle, humanize
            print(humanize.intcomma(12345), os.path.exists(humanize.__cached__), os.path.exists("\(path)/.lock"))
            """
        let told = try await bench.python(code, group: 60_001, root: store.rootFolder)
        #expect(told.output.contains("12,345 True False"), "\(told.output)")
        let missing = try await bench.failure(store, try await bench.need(["humanize==99.99"]))
        #expect(missing.message.contains("there is no humanize==99.99"), "\(missing.message)")
        #expect(missing.message.contains("uv's last lines"))
        let conflict = try await bench.failure(
            store, try await bench.need(["requests==2.31.0", "urllib3<1.20"]))
        #expect(conflict.message.contains("exclude each other"), "\(conflict.message)")
        let hash = "--hash=sha256:" + String(repeating: "0", count: 64)
        let wrong = try await bench.failure(store, try await bench.need(["humanize==4.9.0 \(hash)"]))
        #expect(wrong.message.contains("does not match the hashes"), "\(wrong.message)")
        try bench.goOffline()
        let offline = try await bench.store()
        _ = try await offline.provide(try await bench.need(["slipneeds"]), groupID: 60_001)
        let nowhere = try await bench.failure(offline, try await bench.need(["humanize==4.8.0"]))
        #expect(nowhere.message.contains("no package index can be reached"), "\(nowhere.message)")
        try await bench.close()
        _ = try await (try LiveEngine.client()).removeImage(image)
    }
}

/// The base image with uv from the package index.
enum UVImage {
    /// Makes the image and gives its name; whoever asks removes it.
    static func make(_ bench: EnvironmentBench) async throws -> String {
        let repository = "slipway-test/python-uv"
        let tag = String(bench.engineID.suffix(12))
        var spec = LiveEngine.spec(
            "exec python3 -m pip install --quiet --break-system-packages --root-user-action=ignore uv")
        spec.hasReadOnlyRoot = false
        spec.networkMode = "bridge"
        spec.memoryBytes = 512 << 20
        spec.memorySwapBytes = 512 << 20
        if let bundle = bench.options.caBundle {
            spec.mounts = [.bind(source: bundle, target: "/ca.crt", isReadOnly: true)]
            spec.environment = [("PIP_CERT", "/ca.crt")]
        }
        return try await LiveEngine.withContainer(bench.client, spec, purpose: "uv") { container in
            let status = try await bench.client.waitForContainer(container)
            try #require(status == 0, "uv cannot be installed")
            let environment = ProcessInfo.processInfo.environment
            let named = environment["SLIPWAY_TEST_DOCKER_HOST"] ?? environment["DOCKER_HOST"]
            let host = named ?? "unix:///var/run/docker.sock"
            let socket = try #require(host.hasPrefix("unix://") ? String(host.dropFirst(7)) : nil)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [
                "curl", "-sf", "-X", "POST", "-H", "Content-Type: application/json", "-d", "{}", "-o", "/dev/null",
                "--unix-socket", socket,
                "http://engine/v1.41/commit?container=\(container)&repo=\(repository)&tag=\(tag)",
            ]
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "the image cannot be made")
            return "\(repository):\(tag)"
        }
    }
}
