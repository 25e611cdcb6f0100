import Foundation
import SlipwayCore
import TestSupport
import Testing

@Suite("Environments on a live engine", .enabled("no container engine answers", LiveEngine.answers), .serialized)
struct EnvironmentBuildTests {
    let bench: EnvironmentBench

    init() throws {
        bench = try EnvironmentBench()
        try bench.goOffline()
    }

    @Test(
        "requirements from a folder of wheels are installed, sealed, and readable by the tenant's group only",
        arguments: EnvironmentPlace.allCases)
    func sealed(place: EnvironmentPlace) async throws {
        bench.use(place)
        let store = try await bench.store()
        let need = try await bench.need(["slipneeds"])
        let id = try await store.provide(need, groupID: 60_001)
        #expect(store.installed(need) == id)
        #expect(store.list().first?.versions == ["slipneeds": "1.0", "slipdemo": "1.0"])
        let path = store.path(of: id, runtime: "docker")
        let code = """
            import os, sys
            sys.path.insert(0, "\(path)")
            import slipdemo, slipneeds
            print("version", slipdemo.version, slipdemo.__cached__ and os.path.exists(slipdemo.__cached__))
            for folder, _, files in os.walk("\(path)"):
                for name in files:
                    assert os.stat(os.path.join(folder, name)).st_mode & 0o7777 == 0o440, name
                try:
                    open(os.path.join(folder, "planted"), "w")
                except OSError:
                    continue
                sys.exit("could write")
            """
        let own = try await bench.python(code, group: 60_001, root: store.rootFolder)
        #expect(own.status == 0, "\(own.output)")
        #expect(own.output.contains("version 1.0 True"))
        let foreign = try await bench.python("import os; os.listdir('\(path)')", group: 60_002, root: store.rootFolder)
        #expect(foreign.status != 0)
        #expect(foreign.output.contains("PermissionError"))
        let listing = try await bench.python(
            "import os; os.listdir('\(DockerRuntime.environmentsTarget)')", group: 60_001, root: store.rootFolder)
        #expect(listing.output.contains("PermissionError"))
        #expect(try await bench.containers().isEmpty)
        try await bench.close()
    }

    @Test(
        "a requirement that is nowhere fails at once and names itself and the remedies",
        arguments: EnvironmentPlace.allCases)
    func missing(place: EnvironmentPlace) async throws {
        bench.use(place)
        let store = try await bench.store()
        let error = try await bench.failure(store, try await bench.need(["slipdemo==9.9"]))
        #expect(error.code == .dependency)
        #expect(error.message.contains("slipdemo==9.9"))
        #expect(error.message.contains("environments.find_links"))
        #expect(error.message.contains("ERROR: No matching distribution"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder).isEmpty)
        #expect(try await bench.containers().isEmpty)
        try await bench.close()
    }

    @Test("requirements that exclude each other are told, with pip's own words", arguments: EnvironmentPlace.allCases)
    func conflict(place: EnvironmentPlace) async throws {
        bench.use(place)
        let store = try await bench.store()
        let error = try await bench.failure(store, try await bench.need(["slipneeds", "slipdemo==2.0"]))
        #expect(error.code == .dependency)
        #expect(error.message.contains("exclude each other"))
        #expect(error.message.contains("slipdemo<2"))
        try await bench.close()
    }

    @Test("without a network and without wheels it fails with both remedies", arguments: EnvironmentPlace.allCases)
    func offline(place: EnvironmentPlace) async throws {
        bench.use(place)
        bench.options.findLinks = []
        let first = try await bench.failure(try await bench.store(), try await bench.need(["slipdemo"]))
        #expect(first.code == .dependency)
        #expect(first.message.contains("environments.find_links"))
        #expect(first.message.contains("an image that has the packages"))
        try await bench.close()
    }

    @Test("an index that nobody serves fails the same way")
    func unreachable() async throws {
        bench.options.findLinks = []
        // The builder's own machine, where nothing listens; no name has to be resolved.
        bench.options.network = "host"
        bench.options.indexURL = "http://127.0.0.1:9/simple"
        let error = try await bench.failure(try await bench.store(), try await bench.need(["slipdemo"]))
        #expect(error.code == .dependency)
        #expect(error.message.contains("no package index can be reached"))
        #expect(error.message.contains("environments.find_links"))
        try await bench.close()
    }

    @Test("concurrent needs are built once", arguments: EnvironmentPlace.allCases)
    func once(place: EnvironmentPlace) async throws {
        bench.use(place)
        let store = try await bench.store()
        let need = try await bench.need(["slipdemo==2.0"])
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<10 { group.addTask { try await store.provide(need, groupID: 60_001) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(ids).count == 1)
        #expect(ids.count == 10)
        #expect(store.list().count == 1)
        #expect(store.list().first?.versions == ["slipdemo": "2.0"])
        try await bench.close()
    }

    @Test("a builder that outlived its engine is removed, and what it began is not used")
    func crash() async throws {
        let store = try await bench.store()
        let need = try await bench.need(["slipdemo"])
        let id = try await store.provide(need, groupID: 60_001)
        let root = store.rootFolder
        // As after a kill in the middle: a draft without its manifest, and a container that still runs.
        try FileManager.default.moveItem(atPath: "\(root)/\(id)", toPath: "\(root)/\(id).tmp-12345678")
        var spec = LiveEngine.spec("exec sleep 600")
        spec.labels = ["slipway.engine": bench.engineID, "slipway.role": "builder"]
        let name = LiveEngine.uniqueName("builder")
        guard case .created = try await bench.client.createContainer(name: name, spec) else {
            Issue.record("the name is taken")
            return
        }
        try await bench.client.startContainer(name)
        let second = try await bench.store()
        #expect(second.installed(need) == nil)
        try await second.reconcile()
        #expect(try await bench.containers().isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: root).isEmpty)
        #expect(try await second.provide(need, groupID: 60_001) == id)
        try await bench.close()
    }

    @Test("the builder removes what the engine's own user may not, however deep it is")
    func removal() async throws {
        let store = try await bench.store()
        let name = String(repeating: "cd", count: 12)
        try FileManager.default.createDirectory(
            atPath: "\(store.rootFolder)/\(name)/" + String(repeating: "folder/", count: 400),
            withIntermediateDirectories: true)
        let builder = DockerEnvironmentBuilder(
            client: bench.client, options: bench.options, logger: .init(label: "test"))
        try await builder.remove([name])
        #expect(!FileManager.default.fileExists(atPath: "\(store.rootFolder)/\(name)"))
        try await bench.close()
    }

    @Test("a build that takes too long ends, and says which setting to raise", arguments: EnvironmentPlace.allCases)
    func timeout(place: EnvironmentPlace) async throws {
        bench.use(place)
        bench.options.buildTimeout = .milliseconds(50)
        let error = try await bench.failure(try await bench.store(), try await bench.need(["slipdemo"]))
        #expect(error.code == .dependency)
        #expect(error.message.contains("environments.build_timeout"))
        #expect(try await bench.containers().isEmpty)
        try await bench.close()
    }

    @Test(
        "a package's own code has no rights in the builder, and nothing of it stays",
        arguments: EnvironmentPlace.allCases)
    func hostile(place: EnvironmentPlace) async throws {
        bench.use(place)
        let store = try await bench.store()
        let id = try await store.provide(try await bench.need(["slipevil"]), groupID: 60_001)
        let path = store.path(of: id, runtime: "docker")
        let code = """
            import os, stat, sys
            sys.path.insert(0, "\(path)")
            import slipevil
            print(slipevil.report)
            for name in ("pipe", "link", "setuid", "daemon"):
                place = "\(path)/" + name
                print(name, oct(os.lstat(place).st_mode) if os.path.lexists(place) else "gone")
            """
        let told = try await bench.python(code, group: 60_001, root: store.rootFolder).output
        #expect(told.contains("uid \(bench.options.buildUser) \(bench.options.buildUser) []"), "\(told)")
        #expect(told.contains("root OSError"), "\(told)")
        #expect(!told.contains("allowed"), "\(told)")
        #expect(told.contains("pipe gone"), "\(told)")
        #expect(told.contains("setuid 0o100550"), "\(told)")
        #expect(told.contains("daemon 0o100440"), "\(told)")
        #expect(store.list().first?.versions == ["slipevil": "1.0"])
        #expect(try await bench.containers().isEmpty)
        try await bench.close()
    }

    @Test(
        "a package that takes all memory fails, and the setting to raise is named",
        arguments: EnvironmentPlace.allCases)
    func memory(place: EnvironmentPlace) async throws {
        bench.use(place)
        bench.options.buildMemoryBytes = 128 << 20
        let error = try await bench.failure(try await bench.store(), try await bench.need(["sliphog"]))
        #expect(error.code == .dependency)
        #expect(error.message.contains("environments.build_memory"), "\(error.message)")
        try await bench.close()
    }

    @Test("an environment larger than all may be is refused", arguments: EnvironmentPlace.allCases)
    func size(place: EnvironmentPlace) async throws {
        bench.use(place)
        bench.options.maxTotalBytes = 4096
        let error = try await bench.failure(try await bench.store(), try await bench.need(["slipdemo"]))
        #expect(error.code == .dependency)
        #expect(error.message.contains("environments.max_total"), "\(error.message)")
        try await bench.close()
    }

    @Test("a builder's image whose Python is the job's builds for it", arguments: EnvironmentPlace.allCases)
    func builderImage(place: EnvironmentPlace) async throws {
        bench.use(place)
        bench.options.builderImage = LiveEngine.image
        let store = try await bench.store()
        _ = try await store.provide(try await bench.need(["slipdemo==1.0"]), groupID: 60_001)
        #expect(store.list().first?.versions == ["slipdemo": "1.0"])
        bench.options.builderImage = "slipway/no-such-image:1"
        let other = try await bench.store()
        let error = try await bench.failure(other, try await bench.need(["slipdemo==2.0"]))
        #expect(error.message.contains("environments.builder_image"), "\(error.message)")
        try await bench.close()
    }

    @Test("the machine's own Python installs for sandboxes without containers")
    func process() async throws {
        let store = try await bench.store("process")
        var need = try await bench.need(["slipneeds"])
        need.runtime = "process"
        need.image = ResolvedImage(reference: "", digest: "")
        let id = try await store.provide(need, groupID: 60_001)
        let path = store.path(of: id, runtime: "process")
        #expect(path == "\(store.rootFolder)/\(id)")
        #expect(FileManager.default.contents(atPath: path + "/slipdemo/__init__.py") == Data("version = '1.0'\n".utf8))
        #expect(store.list().first?.versions == ["slipneeds": "1.0", "slipdemo": "1.0"])
        need.requirements = ["slipdemo==9.9"]
        let error = try await bench.failure(store, need)
        #expect(error.code == .dependency)
        #expect(error.message.contains("slipdemo==9.9"))
        #expect(await store.prune(maxTotalBytes: 0).map(\.id) == [id])
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder).isEmpty)
        try await bench.close()
    }

    @Test("where the machine's own Python has no pip, the remedy is one for this machine")
    func processWithoutPip() async throws {
        let folder = bench.data + "/bare-venv"
        _ = try await HostPython.run(
            "import sys, venv; venv.create(sys.argv[1], symlinks=True, with_pip=False)", [folder])
        bench.options.python = folder + "/bin/python"
        let store = try await bench.store("process")
        var need = try await bench.need(["slipneeds"])
        need.runtime = "process"
        need.image = ResolvedImage(reference: "", digest: "")
        let error = try await bench.failure(store, need)
        #expect(error.code == .dependency)
        #expect(error.message.contains("the interpreter \"\(folder)/bin/python\" has no pip"), "\(error.message)")
        #expect(error.message.contains("python3-pip") && error.message.contains("runtime.python"), "\(error.message)")
        #expect(!error.message.contains("image"), "\(error.message)")
        try await bench.close()
    }
}
