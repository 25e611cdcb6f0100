import ArgumentParser
import SlipwayCore

/// What there is to know about the pools.
struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "Look at the pools of sandboxes.", subcommands: [Status.self])

    /// Shows the pools.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Show how many sandboxes are warm, busy and starting.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let body = try await connection.client(common).call("GET", "/v1/pools").body
            if common.json { return try Console.json(body) }
            let pools = try JobReport.parse(body)["pools"]?.elements.map { $0 } ?? []
            guard !pools.isEmpty else { return Console.note("no pools yet") }
            let counts = ["warm", "stem", "busy", "starting", "waiting", "max"]
            var table = Table(
                "IMAGE", "RUNTIME", "NETWORK", "CPUS", "MEMORY", "WARM", "STEM", "BUSY", "STARTING", "WAITING", "MAX")
            for pool in pools {
                let cpus = pool["cpus"]?.double.map { $0 == $0.rounded() ? "\(Int($0))" : "\($0)" }
                table.add(
                    [
                        pool["image"]?.string ?? "-", pool["runtime"]?.string ?? "-", pool["network"]?.string ?? "-",
                        cpus ?? "-", pool["memory"]?.integer.map(JobReport.size) ?? "-",
                    ] + counts.map { (pool[$0]?.integer).map(String.init) ?? "-" })
            }
            try Console.out(table.text)
            for pool in pools {
                guard let reason = pool["last_error"]?.string else { continue }
                Console.note("\(pool["image"]?.string ?? ""): the last start failed: \(Table.printable(reason))")
            }
        }
    }
}
