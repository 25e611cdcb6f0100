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
