import Foundation
import SlipwayCore
import Testing

/// What people see who sit at a terminal, which `script` stands for.
@Suite("On a terminal", .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
struct TerminalTests {
    /// Starts a command with all three streams on one terminal; what it writes there is the standard output.
    private func start(_ tool: CommandLineTool, _ arguments: String) throws -> RunningTool {
        try RunningTool(
            URL(fileURLWithPath: "/usr/bin/script"), ["-qec", "exec '\(tool.path)' \(arguments)", "/dev/null"],
            environment: tool.environment.merging(["TERM": "xterm"]) { $1 }, folder: tool.folder)
    }

    @Test("run shows what goes on in one line, and takes it away before the result")
    func progress() async throws {
        let tool = try CommandLineTool()
        try tool.write(
            "f.py", "import slipway\ndef main():\n    slipway.progress(1, 5, 'step')\n    return 42\n")
        let output = try await start(tool, "run --python-entrypoint main f.py").end()
        #expect(output.code == 0, "\(output.out)")
        #expect(output.out.contains("\r\u{1B}[K\u{1B}[?7l[0s] starting the engine\u{1B}[?7h"), "\(output.out)")
        #expect(output.out.contains(/\r\u{1B}\[K\u{1B}\[\?7l\[[0-9]+s\] 20% step\u{1B}\[\?7h\r/), "\(output.out)")
        #expect(output.out.hasSuffix("\r\u{1B}[K42\r\n"), "\(output.out)")
        // Where there is no terminal, there is no line.
        let plain = try await tool.run("run", "--python-entrypoint", "main", "f.py")
        #expect((plain.code, plain.out) == (0, "42\n"))
        #expect(!plain.err.contains("20%") && !plain.err.contains("\u{1B}"), "\(plain.err)")
    }

    @Test("pool status --watch draws its table over the one before")
    func watch() async throws {
        try await ServedGateway.with(.process) { tool, _ in
            let live = try start(tool, "pool status --watch")
            // Up over the heading and the only pool.
            try await live.waits(for: "\u{1B}[?7l\u{1B}[2A\r\u{1B}[KPOOL")
            live.signal(SIGTERM)
            _ = try await live.end()
            #expect(live.out.hasPrefix("\u{1B}[?7l\r\u{1B}[KPOOL"), "\(live.out)")
            #expect(live.out.contains("\r\n\r\u{1B}[K-"), "\(live.out)")
        }
    }
}
