import ArgumentParser
import SlipwayCore

/// What there is to know about the pools.
struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "Look at the pools of sandboxes.", subcommands: [Status.self])

    /// Shows the pools.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Show how many sandboxes are warm, busy, paused and starting.",
            discussion: """
                On a terminal the table is shown anew every second until Ctrl-C; --no-watch shows it once. Elsewhere, \
                and with --json, it is shown once unless --watch is given.
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions

        @Flag(help: "Show the pools and counts of all tenants; needs a key with the scope admin.")
        var all = false

        @Flag(inversion: .prefixedNo, help: "Show it again every second, until Ctrl-C.")
        var watch: Bool?

        func run() async throws {
            let client = try connection.client(common)
            let isLive = watch ?? (Console.isOutputTerminal && !common.json)
            let isJSON = common.json
            let path = all ? "/v1/pools?all=true" : "/v1/pools"
            guard isLive else { return try await Self.show(client, path, isJSON: isJSON, on: nil) }
            let screen = LiveScreen()
            let ticks = Task {
                while true {
                    try await Self.show(client, path, isJSON: isJSON, on: screen)
                    try await Task.sleep(for: .seconds(1))
                }
            }
            let interrupts = Interrupts()
            let ending = Task {
                for await _ in interrupts.signals { break }
                ticks.cancel()
            }
            defer { ending.cancel() }
            do {
                try await ticks.value
            } catch {
                // The user has seen enough; what was under way ends as it may.
                guard ticks.isCancelled else { throw error }
            }
        }

        private static func show(
            _ client: GatewayClient, _ path: String, isJSON: Bool, on screen: LiveScreen?
        ) async throws {
            let body = try await client.call("GET", path).body
            if isJSON { return try Console.json(body) }
            let pools = try JobReport.parse(body)["pools"]?.elements.map { $0 } ?? []
            let view = PoolView(pools)
            guard let screen else {
                guard !pools.isEmpty else { return Console.note("no pools yet") }
                try Console.out(view.table)
                for line in view.notes { Console.note(line) }
                return
            }
            try screen.show(pools.isEmpty ? "no pools yet\n" : view.table + view.notes.map { $0 + "\n" }.joined())
        }
    }
}
