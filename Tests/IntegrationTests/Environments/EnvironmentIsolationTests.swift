import Foundation
import SlipwayCore
import TestSupport
import Testing

/// What root of a sandbox may do with sealed environments.
@Suite("Sealed environments", .enabled("no container engine answers", LiveEngine.answers), .serialized)
struct EnvironmentIsolationTests {
    let bench: EnvironmentBench

    init() throws {
        bench = try EnvironmentBench()
        try bench.goOffline()
    }

    /// Tries to list a folder as its owner: with the rights of a supervisor alone, and with the group as a further one.
    private func listings(of path: String) async throws -> String {
        let code = """
            import os
            path = "\(path)"
            def tried(action):
                try:
                    return action() or os.listdir(path)
                except OSError as error:
                    return type(error).__name__
            print(oct(os.lstat(path).st_mode & 0o7777), os.lstat(path).st_uid)
            print(tried(lambda: None), tried(lambda: os.setgroups([60001])), tried(lambda: os.chmod(path, 0o700)))
            os.setgroups([])
            os.setresgid(60001, 60001, 60001)
            print(tried(lambda: None))
            os.setresuid(20001, 20001, 20001)
            print(*sorted(tried(lambda: None)))
            """
        return try await bench.supervisorPython(code).output
    }

    private func expectClosed(_ told: String) {
        let lines = told.split(separator: "\n").map(String.init)
        #expect(lines.prefix(1) == ["0o50 0"], "\(told)")
        #expect(lines.dropFirst().first?.hasPrefix("PermissionError PermissionError ") == true, "\(told)")
        #expect(lines.dropFirst().first?.contains("slipdemo") == false, "\(told)")
        #expect(lines.dropFirst(2).first == "PermissionError", "\(told)")
        #expect(lines.last?.contains("slipdemo") == true, "its own group reads: \(told)")
    }

    @Test("root of a sandbox, whose group is another or the tenant's, reads none", arguments: EnvironmentPlace.allCases)
    func root(place: EnvironmentPlace) async throws {
        bench.use(place)
        let store = try await bench.store()
        let id = try await store.provide(try await bench.need(["slipdemo"]), groupID: 60_001)
        expectClosed(try await listings(of: store.path(of: id, runtime: "docker")))
        try await bench.close()
    }

    @Test("what an earlier version left to its owner is sealed anew", arguments: EnvironmentPlace.allCases)
    func older(place: EnvironmentPlace) async throws {
        bench.use(place)
        let first = try await bench.store()
        let need = try await bench.need(["slipdemo"])
        let id = try await first.provide(need, groupID: 60_001)
        let path = first.path(of: id, runtime: "docker")
        #expect(try await bench.rootPython("import os; os.chmod('\(path)', 0o750)").status == 0)
        let second = try await bench.store()
        try await second.reconcile()
        #expect(second.installed(need) == id)
        expectClosed(try await listings(of: path))
        try await bench.close()
    }

    @Test("a builder seals anew what the engine's own user may not")
    func builder() async throws {
        let store = try await bench.store()
        let id = try await store.provide(try await bench.need(["slipdemo"]), groupID: 60_001)
        let path = store.path(of: id, runtime: "docker")
        #expect(try await bench.rootPython("import os; os.chmod('\(path)', 0o750)").status == 0)
        let builder = DockerEnvironmentBuilder(
            client: bench.client, options: bench.options, logger: TestEngine.logger())
        try await builder.close([id, String(repeating: "ab", count: 12)])
        expectClosed(try await listings(of: path))
        try await bench.close()
    }
}

extension LiveJobs {
    /// Two tenants on one engine, of whom one preloads what looks for the other's environment.
    @Suite("Preloaded modules of one tenant", .enabled("no container engine answers", hasContainers), .serialized)
    struct GreedyPreloadTests {
        private let wheels: TemporaryFolder

        init() throws {
            wheels = try TemporaryFolder()
            _ = try WheelFolder.make(in: wheels.path + "/wheels")
        }

        /// A backend whose package, when the zygote imports it, uses all rights of the zygote on a folder.
        private static func backend(victim: String) -> String {
            """
            CODE = '''
            import os
            VICTIM = "\(victim)"
            def tried(change, place=VICTIM):
                reader, writer = os.pipe()
                if not os.fork():
                    try:
                        change()
                        told = "read " + " ".join(os.listdir(place))
                    except OSError as error:
                        told = type(error).__name__
                    os.write(writer, told.encode())
                    os._exit(0)
                os.wait()
                return os.read(reader, 4096).decode()
            group = os.stat(VICTIM).st_gid
            FOUND = [
                "preloaded" if os.getresuid()[2] == 0 else "imported by a task",
                tried(lambda: None),
                tried(lambda: os.setresuid(0, 0, 0)),
                tried(lambda: os.setresuid(0, 0, 0), os.path.dirname(VICTIM)),
                tried(lambda: os.setresgid(group, group, group)),
                tried(lambda: os.setgroups([group])),
                "manifest" if os.path.exists(VICTIM + ".json") else "no manifest",
            ]
            '''
            def build_wheel(folder, *_):
                return wheel(folder, {"slipgreedy.py": CODE})
            """
        }

        @Test("its code finds nothing of another tenant's environment", arguments: [0, 1])
        func greedy(minIdle: Int) async throws {
            let engine = try await TestEngine.start("docker") { configuration in
                configuration.environments.network = "none"
                configuration.environments.findLinks = [wheels.path + "/wheels"]
                // With one, the zygote was there before it was the tenant's.
                configuration.pools.defaults.minIdle = minIdle
            }
            let (owner, other) = (try #require(TenantID("owner")), try #require(TenantID("other")))
            var request = JobRequest(task: .source("def main():\n    import slipdemo\n    return slipdemo.version"))
            request.requirements = ["slipdemo==1.0"]
            let victim = try await engine.engine.buildEnvironment(
                for: request, tenant: owner, waitingUpTo: .seconds(120))
            #expect(victim.state == .ready, "\(victim)")
            try WheelFolder.addSource(
                "slipgreedy", backend: Self.backend(victim: DockerRuntime.environmentsTarget + "/" + victim.id),
                to: wheels.path + "/wheels")
            var greedy = JobRequest(task: .source("def main():\n    import slipgreedy\n    return slipgreedy.FOUND"))
            greedy.requirements = ["slipgreedy"]
            greedy.preload = ["slipgreedy"]
            let outcome = try await engine.engine.submit(greedy, tenant: other, waitingUpTo: .seconds(120))
            let refused = "PermissionError"
            #expect(
                outcome.value == [
                    "preloaded", .string(refused), .string(refused), .string(refused), .string(refused),
                    .string(refused), "no manifest",
                ], "\(outcome.summary)")
            let own = try await engine.engine.submit(request, tenant: owner, waitingUpTo: .seconds(120))
            #expect(own.value == "1.0", "\(own.summary)")
            try await engine.shutdownLeavingNothing()
        }
    }
}
