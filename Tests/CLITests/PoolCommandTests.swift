import Foundation
import SlipwayCore
import Testing

@Suite("Pools on the command line")
struct PoolCommandTests {
    private static let one = """
        pools:
          classes:
            - {name: small, memory: 300m, preload: [no_such_module], min_idle: 1}
        """
    private static let other = """
        pools:
          classes:
            - {name: large, memory: 600m, min_idle: 1}
        jobs: {queue_max: 77}
        """

    private func pools(_ tool: CommandLineTool) async throws -> [JSONValue] {
        let answer = try await tool.run("pool", "status", "--json").json()
        guard case .array(let pools)? = answer["pools"] else { return [] }
        return pools
    }

    private func eventually(_ question: String, _ body: () async throws -> Bool) async throws {
        for _ in 0..<600 {
            if try await body() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("not within 30 s: \(question)")
    }

    @Test("SIGHUP takes other pools over, says what needs a restart, and survives a faulty file")
    func reload() async throws {
        let tool = try CommandLineTool(.process)
        try tool.write("config.yaml", Self.one)
        let gateway = try await ServedGateway.start(tool)
        try await eventually("the class is warm") {
            try await pools(tool).contains { $0["name"] == "small" && $0["stem"] == 1 }
        }
        let table = try await tool.run("pool", "status")
        #expect(table.out.contains("small") && table.out.contains("300"), "\(table.out)")
        #expect(table.err.contains("no_such_module cannot be preloaded"), "\(table.err)")
        try tool.write("config.yaml", "pools: {defaults: {max: none}}")
        gateway.process.signal(SIGHUP)
        try await eventually("the fault is said") { gateway.process.err.contains("it has faults") }
        try tool.write("config.yaml", Self.other)
        gateway.process.signal(SIGHUP)
        try await eventually("the other class is warm, and of the first nothing is left") {
            let pools = try await pools(tool)
            let small = pools.first { $0["name"] == "small" }
            return pools.contains { $0["name"] == "large" && $0["stem"] == 1 }
                && small.map { $0["stem"] == 0 && $0["warm"] == 0 && $0["destroying"] == 0 } ?? true
        }
        #expect(gateway.process.err.contains("jobs.queue_max"), "\(gateway.process.err)")
        #expect(try await tool.run("run", "-c", "print(1)").code == 0)
        #expect(try await gateway.stop().code == 0)
    }

    @Test("SIGHUP while the gateway starts does not end it, and reloads when it has started")
    func earlyReload() async throws {
        let tool = try CommandLineTool(.process)
        try tool.write("config.yaml", Self.one)
        let process = try tool.start(["serve", "--port", "0", "--json"])
        // From the moment on at which the signal no longer ends it, long before it listens.
        try await eventually("SIGHUP is not left to the system") { Self.minds(SIGHUP, process.pid) }
        try tool.write("config.yaml", Self.other)
        // Once at least: where this test is slow, the gateway listens already.
        process.signal(SIGHUP)
        for _ in 0..<1000 where !process.out.contains("\n") {
            process.signal(SIGHUP)
            try await Task.sleep(for: .milliseconds(5))
        }
        try await process.waits(for: "\n")
        let url = try #require(try JSONValue(parsing: Array(process.out.utf8))["url"]?.text)
        try await eventually("the other class is there") {
            let answer = try await tool.run("pool", "status", "--json", "--url", url).json()
            return "\(answer)".contains("large")
        }
        process.signal(SIGTERM)
        #expect(try await process.end().code == 0, "\(process.err)")
    }

    /// Whether a process catches or ignores a signal.
    private static func minds(_ signal: Int32, _ pid: Int32) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return false }
        return status.split(separator: "\n").contains { line in
            guard line.hasPrefix("SigIgn:") || line.hasPrefix("SigCgt:") else { return false }
            let mask = line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0
            return mask & (1 << UInt64(signal - 1)) != 0
        }
    }

    @Test("--all shows the pools of all tenants to the operator, and notes say what jobs wait for")
    func all() async throws {
        let tool = try CommandLineTool(.process, variables: ["SLIPWAY_RUNTIME_TRUSTED_TENANTS_ONLY": "false"])
        try tool.write(
            "config.yaml",
            """
            pools: {defaults: {min_idle: 0, max: 4}}
            sandbox: {memory: 200m, cpus: 0.1}
            allocation: {memory: 300m, cpus: 1}
            """)
        let gateway = try await ServedGateway.start(tool)
        _ = try await tool.run("tenants", "add", "acme")
        let made = try await tool.run("keys", "add", "--tenant", "acme")
        let acme = ["--url", gateway.url, "--key", made.out.trimmingCharacters(in: .newlines)]
        let sleep = ["-c", "import time; time.sleep(20)"]
        for memory in ["210m", "211m"] {
            #expect(try await tool.run(["submit"] + acme + ["--memory", memory] + sleep).code == 0)
        }
        try await eventually("one runs and one waits") {
            let shown = try await tool.run("pool", "status", "--all")
            return shown.out.contains("210.0 MiB") && shown.out.contains("211.0 MiB")
                && shown.err.contains("waits for memory")
        }
        let own = try await tool.run("pool", "status")
        #expect(!own.out.contains("210.0 MiB") && !own.out.contains("211.0 MiB"), "\(own.out)")
        #expect(!own.err.contains("waits for"), "\(own.err)")
        let theirs = try await tool.run(["pool", "status"] + acme)
        #expect(theirs.out.contains("210.0 MiB") && theirs.err.contains("waits for memory"), "\(theirs.err)")
        let refused = try await tool.run(["pool", "status", "--all"] + acme)
        #expect(refused.code != 0 && refused.err.contains("admin"), "\(refused.err)")
        for job in try await list(tool, acme) { _ = try await tool.run(["cancel"] + acme + [job]) }
        #expect(try await gateway.stop().code == 0)
    }

    /// The ids of a tenant's jobs.
    private func list(_ tool: CommandLineTool, _ connection: [String]) async throws -> [String] {
        let answer = try await tool.run(["list", "--json"] + connection).json()
        guard case .array(let jobs)? = answer["jobs"] else { return [] }
        return jobs.compactMap { $0["id"]?.text }
    }

    @Test("--watch shows the table again until it is interrupted")
    func watch() async throws {
        try await ServedGateway.with(.process) { tool, _ in
            let live = try tool.start(["pool", "status", "--watch"])
            try await eventually("two tables") {
                live.out.components(separatedBy: "POOL").count > 2
            }
            live.signal(SIGINT)
            #expect(try await live.end().code == 0)
        }
    }
}
