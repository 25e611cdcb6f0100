import Foundation
import SlipwayCore
import Testing

@Suite("slipway env")
struct EnvCommandTests {
    /// Writes wheels of `slipdemo` 1.0 and an empty `cloudpickle`.
    private static let wheels = """
        import os, sys, zipfile
        os.makedirs(sys.argv[1])
        for name, version in (("slipdemo", "1.0"), ("cloudpickle", "3.9.9")):
            info = f"{name}-{version}.dist-info"
            with zipfile.ZipFile(f"{sys.argv[1]}/{name}-{version}-py3-none-any.whl", "w") as file:
                file.writestr(f"{name}/__init__.py", f"version = '{version}'\\n")
                file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
                file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
                file.writestr(f"{info}/RECORD", "")
        """

    /// A tool whose engines install without a network, from a folder of wheels.
    private func tool(_ runtime: CommandLineTool.Runtime) throws -> CommandLineTool {
        let tool = try CommandLineTool(
            runtime, variables: ["SLIPWAY_ENVIRONMENTS_NETWORK": "none"],
            foldersBelow: ["SLIPWAY_ENVIRONMENTS_FIND_LINKS": "wheels"])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", Self.wheels, tool.folder.path + "/wheels"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return tool
    }

    @Test(
        "run shows what the installer says while the job waits, apart from the task's output",
        arguments: CommandLineTool.runtimes)
    func run(runtime: CommandLineTool.Runtime) async throws {
        let tool = try tool(runtime)
        let output = try await tool.run("run", "-r", "slipdemo", "-c", "import slipdemo; print(slipdemo.version)")
        #expect((output.code, output.out) == (0, "1.0\n"), "\(output.err)")
        #expect(output.err.contains("build: Installing with "), "\(output.err)")
        #expect(output.err.contains("build: Installed "), "\(output.err)")
        let failed = try await tool.run("run", "-r", "slipdemo==9.9", "-c", "pass")
        #expect(failed.code == 1)
        #expect(failed.err.contains("environments.find_links"), "\(failed.err)")
        #expect(failed.err.contains("No matching distribution found for slipdemo==9.9"), "\(failed.err)")
    }

    @Test(
        "what is built ahead is listed, locked, used by a job, and removed when nothing uses it",
        arguments: CommandLineTool.runtimes)
    func life(runtime: CommandLineTool.Runtime) async throws {
        let tool = try tool(runtime)
        let gateway = try await ServedGateway.start(tool)
        do {
            #expect(try await tool.run("env", "list").err.contains("no environments yet"))
            let built = try await tool.run("env", "build", "-r", "slipdemo")
            #expect(built.code == 0, "\(built.err)")
            #expect(built.err.contains("build: "), "\(built.err)")
            let id = built.out.trimmingCharacters(in: .newlines)
            let list = try await tool.run("env", "list")
            #expect(list.out.contains(id))
            #expect(list.out.contains("ready"))
            let lock = try await tool.run("env", "lock", String(id.prefix(8)))
            #expect(lock.out.contains("slipdemo==1.0 \\\n    --hash=sha256:"), "\(lock.out) \(lock.err)")
            try tool.write("locked.txt", "# what was there\n\(lock.out)")
            let locked = try await tool.run(
                "submit", "--wait", "-r", "locked.txt", "-c", "import slipdemo; print(slipdemo.version)")
            #expect((locked.code, locked.out) == (0, "1.0\n"), "\(locked.err)")
            let shown = try await tool.run("env", "show", id)
            #expect(shown.out.contains("slipdemo 1.0"), "\(shown.out)")
            let used = try await tool.run(
                "submit", "--wait", "-r", "slipdemo", "-c", "import slipdemo; print(slipdemo.version)")
            #expect((used.code, used.out) == (0, "1.0\n"), "\(used.err)")
            #expect(!used.err.contains("build: "), "\(used.err)")
            let failed = try await tool.run("env", "build", "-r", "slipdemo==9.9")
            #expect(failed.code == 1)
            #expect(failed.err.contains("slipdemo==9.9"))
            try await Task.sleep(for: .seconds(5.2))
            let pruned = try await tool.run("env", "prune", "--json")
            guard case .array(let removed)? = try pruned.json()["removed"] else {
                throw RunningTool.Unexpected("no list: \(pruned.out) \(pruned.err)")
            }
            // The last job's sandbox is warm, and keeps its own.
            #expect(removed.allSatisfy { $0["id"]?.text != id }, "\(pruned.out)")
            #expect(try await tool.run("env", "show", "zzz").code == 1)
            #expect(try await tool.run("env", "build").code == 2)
        } catch {
            _ = try await gateway.stop()
            throw error
        }
        #expect(try await gateway.stop().code == 0)
    }

    @Test("run takes a project from any folder, a gateway only from those that are allowed")
    func project() async throws {
        let tool = try tool(.process)
        try FileManager.default.createDirectory(
            at: tool.folder.appendingPathComponent("app"), withIntermediateDirectories: false)
        try tool.write("app/setup.py", "raise SystemExit('the project speaks')\n")
        let output = try await tool.run("run", "--project", "app", "-c", "pass")
        #expect(output.code == 1)
        #expect(output.err.contains("cannot install"), "\(output.err)")
        let gateway = try await ServedGateway.start(tool)
        let refused = try await tool.run("submit", "--project", "app", "-c", "pass")
        #expect(try await gateway.stop().code == 0)
        #expect(refused.code == 2)
        #expect(refused.err.contains("environments.project_allow"), "\(refused.err)")
    }
}
