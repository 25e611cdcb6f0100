import ArgumentParser
import SlipwayCore

/// Shows a job, or the gateway itself.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show a job, or without an id whether the gateway can run jobs.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The job.")
    var id: String?

    func run() async throws {
        guard let id else { return try await showGateway(try connection.client(common)) }
        let job = try JobID.argument(id)
        let body = try await connection.client(common).call("GET", "/v1/jobs/\(job)").body
        let report = try JobReport(body)
        try common.json ? Console.json(body) : Console.out(report.text)
    }

    /// Ends with code 3 when jobs cannot run.
    private func showGateway(_ client: GatewayClient) async throws {
        let (status, body) = try await client.call("GET", "/readyz", accepts: [503])
        let isReady = status == 200
        let node = try JobReport.parse(body)
        if common.json {
            try Console.json(body)
        } else {
            let reasons = node["reasons"]?.elements.compactMap(\.string) ?? []
            try Console.line("gateway:   \(client.url)")
            try Console.line("state:     \(node["status"]?.string ?? "?")")
            try Console.line("runs on:   \(node["container_engine"]?.string ?? "?")")
            for reason in reasons { try Console.line("reason:    \(Table.printable(reason))") }
        }
        if !isReady { throw CommandExit(CommandExit.unreachable) }
    }
}
