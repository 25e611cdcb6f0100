import Foundation
import SlipwayCore
import Testing

@Suite("slipway run")
struct RunTests {
    private static let script = """
        import sys
        print("out", sys.argv)
        print("err", file=sys.stderr)
        sys.exit(int(sys.argv[1]))

        """

    @Test(
        "a file runs like a script; its streams and its exit code come through",
        arguments: CommandLineTool.runtimes)
    func script(runtime: CommandLineTool.Runtime) async throws {
        let tool = try CommandLineTool(runtime)
        try tool.write("my script.py", Self.script)
        for code in ["0", "7"] {
            let output = try await tool.run("run", "my script.py", code, "--json", "-x")
            #expect(output.code == Int32(code))
            #expect(output.out == "out ['my script.py', '\(code)', '--json', '-x']\n")
            #expect(output.err.split(separator: "\n").contains("err"))
        }
        #expect(try leftovers(tool).isEmpty)
    }

    @Test("code and commands run too", arguments: CommandLineTool.runtimes)
    func codeAndCommands(runtime: CommandLineTool.Runtime) async throws {
        let tool = try CommandLineTool(runtime)
        let code = try await tool.run("run", "-c", "import sys; print(6 * 7, sys.argv)", "a", "b")
        #expect((code.code, code.out) == (0, "42 ['-c', 'a', 'b']\n"))
        let command = try await tool.run("run", "--env", "A=b=c", "--", "sh", "-c", "echo \"$A\"; exit 9")
        #expect((command.code, command.out) == (9, "b=c\n"))
        let missing = try await tool.run("run", "--", "no-such-program")
        #expect(missing.code != 0)
        #expect(missing.err.contains("no-such-program"))
    }

    @Test(
        "a command that is ended by its timeout ends with 1, one that is ended by a signal with its own code",
        arguments: CommandLineTool.runtimes)
    func endedCommands(runtime: CommandLineTool.Runtime) async throws {
        let tool = try CommandLineTool(runtime)
        let late = try await tool.run("run", "--timeout", "500ms", "--", "sleep", "60")
        #expect(late.code == 1, "\(late.err)")
        #expect(late.err.contains("the job failed (timeout)"), "\(late.err)")
        let killed = try await tool.run("run", "--", "sh", "-c", "kill -9 $$")
        #expect(killed.code == 137, "\(killed.err)")
    }

    @Test("standard input is what --stdin names, and nothing otherwise", arguments: CommandLineTool.runtimes)
    func standardInput(runtime: CommandLineTool.Runtime) async throws {
        let tool = try CommandLineTool(runtime)
        try tool.write("in.txt", "from a file")
        let file = try await tool.run("run", "--stdin", "in.txt", "-c", "print(input())")
        #expect((file.code, file.out) == (0, "from a file\n"), "\(file.err)")
        let hint = "standard input is not passed on to the command; --stdin - does that"
        for (options, out) in [("--stdin -", "\u{1}from a pipe"), ("", "")] {
            let script = "printf '\\001from a pipe' | \"$0\" run \(options) -- cat"
            let process = try RunningTool(
                URL(fileURLWithPath: "/bin/sh"), ["-c", script, tool.path], environment: tool.environment,
                folder: tool.folder)
            let output = try await process.end()
            #expect((output.code, output.out) == (0, out), "\(output.err)")
            #expect(output.err.contains(hint) == options.isEmpty, "\(output.err)")
        }
        #expect(try await !tool.run("run", "--", "true").err.contains(hint))
    }

    @Test("a limit that is too high is refused with the field that it is about", arguments: CommandLineTool.runtimes)
    func tooMuch(runtime: CommandLineTool.Runtime) async throws {
        let output = try await CommandLineTool(runtime).run("run", "--memory", "99t", "-c", "pass")
        #expect(output.code == 2)
        #expect(output.err.contains("/resources/memory: "), "\(output.err)")
    }

    @Test("an entry point's result is printed; its exception ends with 1", arguments: CommandLineTool.runtimes)
    func entrypoint(runtime: CommandLineTool.Runtime) async throws {
        let tool = try CommandLineTool(runtime)
        try tool.write("f.py", "def add(a, b):\n    return {'sum': int(a) + int(b)}\n")
        let output = try await tool.run("run", "--python-entrypoint", "add", "f.py", "20", "22")
        #expect((output.code, output.out) == (0, "{\"sum\":42}\n"))
        let failure = try await tool.run("run", "--python-entrypoint", "add", "f.py", "20", "x")
        #expect(failure.code == 1)
        #expect(failure.out.isEmpty)
        #expect(failure.err.contains("Traceback"))
        #expect(failure.err.contains("the job failed (exception): ValueError: invalid literal"))
    }

    @Test("--json puts the job on standard output and all output of the task on standard error")
    func json() async throws {
        let output = try await CommandLineTool().run("run", "--json", "--name", "n", "-c", "print('hello'); exit(3)")
        #expect(output.code == 3)
        let job = try output.json()
        #expect(job["state"] == "error")
        #expect(job["exit_code"] == 3)
        #expect(job["name"] == "n")
        #expect(output.err.contains("hello\n"))
    }

    @Test("a request that the engine refuses ends with 2 and all faults")
    func refused() async throws {
        let output = try await CommandLineTool().run(
            "run", "--env", "LD_PRELOAD=x", "--env", "PYTHONPATH=/", "-c", "1")
        #expect(output.code == 2)
        #expect(output.err.contains("LD_PRELOAD") && output.err.contains("PYTHONPATH"))
    }

    @Test("more output than a gateway keeps comes through whole")
    func muchOutput() async throws {
        let output = try await CommandLineTool().run("run", "-c", "for i in range(300000): print('line', i)")
        #expect(output.code == 0)
        #expect(output.out == (0..<300_000).map { "line \($0)\n" }.joined())
    }

    @Test("a container engine that does not answer ends with 3, in one line")
    func noEngine() async throws {
        let tool = try CommandLineTool(.docker, variables: ["DOCKER_HOST": "unix:///nowhere/docker.sock"])
        let output = try await tool.run("run", "-c", "1")
        #expect(output.code == 3)
        #expect(output.err.contains("/nowhere/docker.sock"))
        #expect(output.err.split(separator: "\n").count == 1)
        #expect(try leftovers(tool).isEmpty)
    }

    @Test("an image that is not there ends with 3 and names it", .enabled(if: CommandLineTool.hasEngine))
    func noImage() async throws {
        let output = try await CommandLineTool(.docker).run("run", "--image", "slipway/none:1", "-c", "1")
        #expect(output.code == 3)
        #expect(output.err.contains("does not have the image \"slipway/none:1\""))
    }

    @Test("Ctrl-C cancels the job, ends with 130 and leaves nothing", arguments: CommandLineTool.runtimes)
    func interrupt(runtime: CommandLineTool.Runtime) async throws {
        let tool = try CommandLineTool(runtime)
        let process = try tool.start(["run", "--json", "-c", "import time; print('up'); time.sleep(600)"])
        while !process.err.contains("up\n") { try await Task.sleep(for: .milliseconds(10)) }
        process.signal(SIGINT)
        let output = try await process.end()
        #expect(output.code == 130)
        let job = try output.json()
        #expect(job["state"] == "cancelled")
        #expect(try leftovers(tool).isEmpty)
        guard runtime == .docker else { return }
        let sandbox = try #require(job["sandbox"]?.text)
        let client = try CommandLineTool.engineClient()
        #expect(try await client.inspectContainer("slipway-\(sandbox)") == nil)
        await client.shutdown()
    }

    /// What `run` has left in the temporary folder.
    private func leftovers(_ tool: CommandLineTool) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: tool.folder.path).filter { $0.hasPrefix("slipway-") }
    }
}
