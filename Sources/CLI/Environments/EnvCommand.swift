import ArgumentParser
import SlipwayCore

/// What there is to do with environments, the installed sets of Python requirements, of a gateway.
struct EnvCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "env", abstract: "Look at installed sets of requirements, install them ahead, remove them.",
        subcommands: [List.self, Show.self, Build.self, Lock.self, Prune.self])

    /// Lists environments.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List what is installed or being installed, used last first.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let body = try await connection.client(common).call("GET", "/v1/environments").body
            if common.json { return try Console.json(body) }
            let all = try JobReport.parse(body)["environments"]?.elements.map(EnvironmentReport.init) ?? []
            guard !all.isEmpty else { return Console.note("no environments yet") }
            try Console.out(EnvironmentReport.table(all))
        }
    }

    /// Shows one environment.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show one environment with what its installer wrote.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions

        @Argument(help: "The id or key; its beginning is enough.")
        var id: String

        func run() async throws {
            let body = try await EnvironmentReport.find(id, connection.client(common))
            if common.json { return try Console.json(body) }
            try Console.out(EnvironmentReport(try JobReport.parse(body)).text)
        }
    }

    /// Exports what was resolved.
    struct Lock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "lock",
            abstract: "Print what was installed as a requirements file that installs the same again.",
            discussion: "Exact versions, and the hash of each file where the installer told it.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions

        @Argument(help: "The id or key; its beginning is enough.")
        var id: String

        func run() async throws {
            let body = try await EnvironmentReport.find(id, connection.client(common))
            let report = EnvironmentReport(try JobReport.parse(body))
            guard report.state == .ready else {
                throw CommandExit(CommandExit.failed, "the environment is \(report.state?.rawValue ?? "not known").")
            }
            if common.json { return try Console.json(Array(report.node["resolved"]?.raw ?? [])) }
            try Console.out(report.node["lock"]?.string ?? "")
            let unhashed = report.packages.filter(\.hashes.isEmpty).map(\.name)
            if !unhashed.isEmpty {
                Console.note("no hash is known of \(unhashed.joined(separator: ", "))")
            }
        }
    }

    /// Removes environments.
    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "prune", abstract: "Remove environments that no sandbox and no waiting job uses.",
            discussion: "Only those of the key's tenant. A job that needs one again installs it again.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions

        @Option(name: .long, help: ArgumentHelp("Only those that were not used for so long.", valueName: "time"))
        var unusedFor: String?

        @Argument(help: "Only these ids.")
        var ids: [String] = []

        func validate() throws {
            if let unusedFor, Quantity.duration(unusedFor) == nil {
                throw ValidationError("--unused-for: '\(unusedFor)' is no time; write it as 12h or 7d.")
            }
        }

        func run() async throws {
            var members: [String: JSONValue] = [:]
            members["unused_for"] = unusedFor.map(JSONValue.string)
            if !ids.isEmpty { members["ids"] = .array(ids.map(JSONValue.string)) }
            let body = try await connection.client(common).call(
                "POST", "/v1/environments/prune", body: JSONValue.object(members).serialized()
            ).body
            if common.json { return try Console.json(body) }
            let removed = try JobReport.parse(body)["removed"]?.elements.map(EnvironmentReport.init) ?? []
            for report in removed { try Console.line("\(report.id) \(JobReport.size(report.bytes))") }
            let total = JobReport.size(removed.reduce(0) { $0 + $1.bytes })
            Console.note(removed.isEmpty ? "nothing to remove" : "removed \(removed.count), \(total) in all")
        }
    }
}
