import Crypto
import Foundation
import SlipwayCore
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite(
    "Where requirements come from", .enabled("no container engine answers", LiveEngine.answers), .serialized)
struct EnvironmentSourceTests {
    let bench: EnvironmentBench

    init() throws {
        bench = try EnvironmentBench()
        try bench.goOffline()
    }

    private func hash(of file: String) throws -> String {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(bench.data)/wheels/\(file)"))
        let digits = SHA256.hash(data: data).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
        return "--hash=sha256:" + digits.joined()
    }

    @Test("those who wait hear the builder while it works")
    func listening() async throws {
        let store = try await bench.store()
        let heard = HeardText()
        let need = try await bench.need(["slipneeds"])
        _ = try await store.provide(need, groupID: 60_001) { heard.take($0) }
        let text = heard.text
        #expect(text.hasPrefix("Installing with pip "), "\(text)")
        #expect(text.contains("Successfully installed slipdemo-1.0 slipneeds-1.0\n"))
        #expect(text.contains("\nInstalled slipdemo 1.0, slipneeds 1.0 in "))
        try await bench.close()
    }

    @Test("hashes are checked, recorded and exported; what the engine adds needs none")
    func hashes() async throws {
        let store = try await bench.store()
        let good = "slipdemo==1.0 " + (try hash(of: "slipdemo-1.0-py3-none-any.whl"))
        let need = try await bench.need([good], cloudpickle: true)
        _ = try await store.provide(need, groupID: 60_001)
        let status = try #require(store.status(of: bench.tenant).first)
        #expect(status.packages.map(\.name) == ["cloudpickle", "slipdemo"])
        #expect(status.packages.map { $0.hashes.count } == [1, 1])
        #expect(status.lock.contains("slipdemo==1.0 \\\n    " + (try hash(of: "slipdemo-1.0-py3-none-any.whl"))))
        // What was exported installs the same.
        let lines = status.packages.map { "\($0.name)==\($0.version) --hash=\($0.hashes[0])" }
        _ = try await store.provide(try await bench.need(lines), groupID: 60_001)
        let again = try #require(store.status(of: bench.tenant).first { $0.key != status.key })
        #expect(again.packages == status.packages)
        let bad = "slipdemo==2.0 " + (try hash(of: "slipdemo-1.0-py3-none-any.whl"))
        let error = try await bench.failure(store, try await bench.need([bad]))
        #expect(error.code == .dependency)
        #expect(error.message.contains("does not match the hashes"), "\(error.message)")
        let partly = try await bench.failure(
            store, try await bench.need(["slipneeds==1.0 " + hash(of: "slipneeds-1.0-py3-none-any.whl")]))
        #expect(partly.message.contains("hashes"), "\(partly.message)")
        try await bench.close()
    }

    @Test("a shared cache serves only what is checked, and no package's own code runs beside it")
    func sharedCache() async throws {
        bench.options.pipCache = .shared
        let store = try await bench.store()
        let shared = DockerEnvironmentBuilder.sharedCacheVolume(engineID: bench.engineID)
        let own = DockerEnvironmentBuilder.cacheVolume(engineID: bench.engineID, tenant: bench.tenant)
        let hashed = "slipdemo==1.0 " + (try hash(of: "slipdemo-1.0-py3-none-any.whl"))
        _ = try await store.provide(try await bench.need([hashed]), groupID: 60_001)
        #expect(try await bench.client.inspectVolume(shared) != nil)
        #expect(try await bench.client.inspectVolume(own) == nil)
        _ = try await store.provide(try await bench.need(["slipdemo==2.0"]), groupID: 60_001)
        #expect(try await bench.client.inspectVolume(own) != nil)
        let source = "slipevil==1.0 " + (try hash(of: "slipevil-1.0.tar.gz"))
        let error = try await bench.failure(store, try await bench.need([source]))
        #expect(error.message.contains("slipevil==1.0"), "\(error.message)")
        #expect(!FileManager.default.fileExists(atPath: store.rootFolder + "/daemon"))
        _ = try await bench.client.removeVolume(shared)
        try await bench.close()
    }

    @Test("a project is installed from where it lies, with what it needs; a change of it is another environment")
    func project() async throws {
        let folder = bench.data + "/project"
        try ProjectFolder.make(in: folder, version: "1.5")
        let store = try await bench.store()
        var need = try await bench.need([])
        need.project = try ProjectTree.read(folder)
        let id = try await store.provide(need, groupID: 60_001)
        #expect(store.list().first?.versions == ["slipproject": "1.5", "slipdemo": "1.0"])
        let path = store.path(of: id, runtime: "docker")
        let code = "import sys; sys.path.insert(0, '\(path)'); import slipproject; print(slipproject.version)"
        let told = try await bench.python(code, group: 60_001, root: store.rootFolder)
        #expect(told.output.contains("1.5"), "\(told.output)")
        // The checkout itself is left alone.
        #expect(try ProjectTree.read(folder) == need.project)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(names.sorted() == ["backend.py", "pyproject.toml"])
        try ProjectFolder.make(in: folder, version: "1.6")
        need.project = try ProjectTree.read(folder)
        let second = try await store.provide(need, groupID: 60_001)
        #expect(second != id)
        #expect(store.list().first { $0.id == second }?.versions["slipproject"] == "1.6")
        try FileManager.default.removeItem(atPath: folder + "/pyproject.toml")
        need.project = try ProjectTree.read(folder)
        let error = try await bench.failure(store, need)
        #expect(error.message.contains("neither pyproject.toml nor setup.py"), "\(error.message)")
        try await bench.close()
    }

    @Test("an index that takes connections and stays silent fails within seconds, with both remedies")
    func silence() async throws {
        let server = try SilentServer()
        bench.options.findLinks = []
        bench.options.network = "host"
        bench.options.indexURL = "http://127.0.0.1:\(server.port)/simple"
        try await expectOffline()
        try await bench.close()
        server.close()
    }

    @Test("an index behind a network that swallows everything fails the same way")
    func blackhole() async throws {
        bench.options.findLinks = []
        bench.options.network = "bridge"
        // TEST-NET-1, which no router forwards (RFC 5737).
        bench.options.indexURL = "https://192.0.2.1/simple"
        try await expectOffline()
        try await bench.close()
    }

    private func expectOffline() async throws {
        let began = ContinuousClock.now
        let error = try await bench.failure(try await bench.store(), try await bench.need(["slipdemo"]))
        // pip alone would try for minutes.
        #expect(began.duration(to: .now) < .seconds(40))
        #expect(error.code == .dependency)
        #expect(error.message.contains("no package index can be reached"), "\(error.message)")
        #expect(error.message.contains("environments.find_links"))
        #expect(error.message.contains("an image that has the packages"))
    }

    @Test("a builder without uv says so where uv is asked for")
    func withoutUV() async throws {
        bench.options.installer = .uv
        let error = try await bench.failure(try await bench.store(), try await bench.need(["slipdemo"]))
        #expect(error.message.contains("environments.installer"), "\(error.message)")
        try await bench.close()
    }
}

/// A server that takes connections and never says anything.
struct SilentServer {
    let port: UInt16
    private let socket: Int32

    init() throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let made = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(socket, address, length) == 0 && listen(socket, 64) == 0
                    && getsockname(socket, address, &length) == 0
            }
        }
        guard socket >= 0, made else { throw POSIXError(.EADDRINUSE) }
        port = UInt16(bigEndian: address.sin_port)
    }

    func close() { Glibc.close(socket) }
}

/// A small Python project that builds without a network and needs `slipdemo` below 2.
enum ProjectFolder {
    static func make(in folder: String, version: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n".write(
            toFile: folder + "/pyproject.toml", atomically: false, encoding: .utf8)
        try """
        import os, zipfile
        def build_wheel(folder, *_):
            open("left-behind", "w").close()
            name = "slipproject-\(version)-py3-none-any.whl"
            info = "slipproject-\(version).dist-info/"
            with zipfile.ZipFile(os.path.join(folder, name), "w") as file:
                file.writestr("slipproject.py", "version = '\(version)'")
                meta = "Metadata-Version: 2.1\\nName: slipproject\\nVersion: \(version)\\nRequires-Dist: slipdemo<2\\n"
                file.writestr(info + "METADATA", meta)
                file.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
                file.writestr(info + "RECORD", "")
            return name
        """.write(toFile: folder + "/backend.py", atomically: false, encoding: .utf8)
    }
}
