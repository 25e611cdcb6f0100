import Foundation
import SlipwayCore
import Testing

/// A `slipway serve` on a free port.
struct ServedGateway {
    let tool: CommandLineTool
    let process: RunningTool
    let url: String

    /// Starts a gateway and waits until it listens.
    static func start(_ tool: CommandLineTool, _ more: String...) async throws -> ServedGateway {
        let process = try tool.start(["serve", "--port", "0", "--json"] + more)
        try await process.waits(for: "\n")
        let line = try JSONValue(parsing: Array(process.out.utf8))
        return ServedGateway(tool: tool, process: process, url: try #require(line["url"]?.text))
    }

    /// Asks it to drain, and waits for its end.
    func stop() async throws -> CommandLineTool.Output {
        process.signal(SIGTERM)
        return try await process.end()
    }

    /// Serves while the body runs, and stops whatever happens.
    static func with(
        _ runtime: CommandLineTool.Runtime, _ body: (CommandLineTool, ServedGateway) async throws -> Void
    ) async throws {
        let tool = try CommandLineTool(runtime)
        let gateway = try await start(tool)
        do {
            try await body(tool, gateway)
        } catch {
            _ = try await gateway.stop()
            throw error
        }
        let end = try await gateway.stop()
        #expect(end.code == 0, "\(end.err)")
    }
}
