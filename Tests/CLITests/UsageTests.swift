import Foundation
import SlipwayCore
import Testing

@Suite("The command line's usage and exit codes")
struct UsageTests {
    static let commands = [
        "serve", "run", "submit", "status", "wait", "logs", "result", "artifacts", "cancel", "list", "pool", "env",
        "tenants", "keys", "doctor", "config", "bench", "version",
    ]

    /// Commands that hold others, and those that they hold.
    static let groups = [
        "pool": ["status"], "env": ["list", "show", "build", "lock", "prune"], "config": ["check", "show"],
        "tenants": ["list", "add", "suspend", "resume", "remove"], "keys": ["list", "add", "revoke"],
    ]

    /// Every command that does something.
    static let leaves: [[String]] = commands.flatMap { name -> [[String]] in
        guard let parts = groups[name] else { return [[name]] }
        return parts.map { [name, $0] }
    }

    @Test("every command takes a configuration and gives JSON", arguments: leaves)
    func commonOptions(words: [String]) async throws {
        let output = try await CommandLineTool().run(words + ["--help"])
        #expect(output.code == 0, "\(output.err)")
        #expect(output.out.contains("USAGE: slipway \(words.joined(separator: " "))"), "\(output.out)")
        for option in ["--config <file>", "--json", "-h, --help"] {
            #expect(output.out.contains("\n  \(option) "), "\(option): \(output.out)")
        }
    }

    @Test("every command has help on standard output", arguments: commands)
    func help(command: String) async throws {
        let output = try await CommandLineTool().run(command, "--help")
        #expect(output.code == 0)
        #expect(output.out.contains("USAGE: slipway \(command)"))
        #expect(output.err.isEmpty)
    }

    @Test("help names every command")
    func overview() async throws {
        let output = try await CommandLineTool().run("--help")
        for command in Self.commands { #expect(output.out.contains("\n  \(command) ")) }
        #expect(output.code == 0)
    }

    @Test(
        "wrong usage ends with 2 and says why on standard error",
        arguments: [
            ["nope"], ["--nope"], ["run"], ["run", "--nope", "x.py"], ["run", "-c"],
            ["run", "--memory", "5x", "-c", "1"],
            ["run", "--timeout", "soon", "-c", "1"], ["run", "--cpus", "many", "-c", "1"],
            ["run", "--env", "=x", "-c", "1"],
            ["run", "--stdin", "missing", "--", "cat"],
            ["run", "--stdin", "x", "--python-entrypoint", "main", "f.py"],
            ["run", "missing.py"], ["run", "--python-entrypoint", "main", "-c", "1"], ["submit"], ["wait"],
            ["wait", "--timeout", "x", "job"], ["status", "no-id"], ["logs", "--tail", "1", "-f", "job"],
            ["logs", "--stream", "both", "job"], ["list", "--limit", "0"], ["list", "--state", "gone"], ["cancel"],
            ["serve", "--port", "70000"], ["list", "--url", "ftp://x", "--key", "k"],
            ["list", "--credentials", "missing"],
        ])
    func wrongUsage(arguments: [String]) async throws {
        let output = try await CommandLineTool().run(arguments)
        #expect(output.code == 2, "\(output.err)")
        #expect(output.out.isEmpty)
        #expect(!output.err.isEmpty)
        for word in ["Error(", "Code.", "Optional(", "NSError", "Fatal error"] { #expect(!output.err.contains(word)) }
    }

    @Test("processors are a finite number", arguments: ["nan", "inf", "-inf"])
    func endlessProcessors(cpus: String) async throws {
        let output = try await CommandLineTool().run("submit", "--cpus=\(cpus)", "-c", "1")
        #expect(output.code == 2)
        #expect(output.err.contains("is no number of processors"), "\(output.err)")
    }

    @Test("text that is not UTF-8 is refused, not changed")
    func otherEncoding() async throws {
        let tool = try CommandLineTool()
        let latin = Data("# -*- coding: latin-1 -*-\ndef main(): return '".utf8) + [0xE9] + Data("'\n".utf8)
        for name in ["f.py", "r.txt"] { try latin.write(to: tool.folder.appendingPathComponent(name)) }
        for (file, arguments) in [
            ("f.py", ["run", "--python-entrypoint", "main", "f.py"]), ("r.txt", ["run", "-r", "r.txt", "-c", "1"]),
        ] {
            let output = try await tool.run(arguments)
            #expect(output.code == 2)
            #expect(output.err.contains("\(file) is not UTF-8"), "\(output.err)")
        }
    }

    @Test("a network mode that does not exist is answered with those that do")
    func networkMode() async throws {
        let output = try await CommandLineTool().run("run", "--network", "foo", "-c", "1")
        #expect(output.code == 2)
        #expect(output.err.contains("take one of none, egress, host_gateway, bridge."), "\(output.err)")
    }

    @Test("version names everything that is linked")
    func version() async throws {
        let tool = try CommandLineTool()
        let output = try await tool.run("version", "--json")
        let value = try output.json()
        for name in ["slipway", "swift", "libcurl", "libyaml", "zlib", "sqlite"] {
            let version = try #require(value[name]?.text)
            #expect(version.first?.isNumber == true, "\(name): \(version)")
        }
        #expect(value["slipway"]?.text == slipwayVersion)
        let text = try await tool.run("version")
        #expect(text.out.split(separator: "\n").count == 6)
        #expect(try await tool.run("--version").out == slipwayVersion + "\n")
    }

    @Test(
        "output that cannot be written ends with 3 and the reason",
        arguments: ["config show", "config check", "--help"])
    func fullOutput(command: String) async throws {
        let tool = try CommandLineTool()
        let process = try RunningTool(
            URL(fileURLWithPath: "/bin/sh"), ["-c", "\"$0\" \(command) > /dev/full", tool.path],
            environment: tool.environment, folder: tool.folder)
        let output = try await process.end()
        #expect(output.code == 3)
        #expect(output.err == "slipway: cannot write standard output: No space left on device\n")
    }

    @Test("a reader that goes away is no error to talk about")
    func brokenPipe() async throws {
        let tool = try CommandLineTool()
        let (pipe, errors) = (Pipe(), Pipe())
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "\"$1\" config show | true", "sh", tool.path]
        process.environment = tool.environment
        process.standardOutput = pipe
        process.standardError = errors
        try process.run()
        process.waitUntilExit()
        #expect(try errors.fileHandleForReading.readToEnd() ?? Data() == Data())
    }
}
