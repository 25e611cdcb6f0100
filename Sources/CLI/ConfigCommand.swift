import ArgumentParser
import SlipwayCore

/// Checks and shows the configuration.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check or show the configuration.", subcommands: [Check.self, Show.self])

    /// Reports everything that is wrong with a configuration.
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Report every fault of a configuration with its place; ends with 2 for any."
        )

        @OptionGroup var common: CommonOptions

        @Argument(help: "The file; otherwise as with --config.")
        var file: String?

        func run() throws {
            let path = file ?? common.configurationPath
            var faults: [ConfigurationFault] = []
            var warnings: [ConfigurationFault] = []
            do throws(ConfigurationError) {
                warnings = try CommonOptions.load(path).warnings
            } catch {
                faults = error.faults
            }
            do {
                try write(path, faults: faults, warnings: warnings)
            } catch let exit as CommandExit where exit.code == CommandExit.brokenPipe {
                // Nobody reads standard output any more: the exit code alone is left to say it.
            }
            if !faults.isEmpty { throw CommandExit(CommandExit.usage) }
        }

        private func write(_ path: String?, faults: [ConfigurationFault], warnings: [ConfigurationFault]) throws {
            if common.json {
                let value: JSONValue = [
                    "file": path.map(JSONValue.string) ?? .null, "valid": .bool(faults.isEmpty),
                    "faults": .array(faults.map(Self.json)), "warnings": .array(warnings.map(Self.json)),
                ]
                return try Console.json(value.serialized())
            }
            for fault in faults + warnings { Console.error("\(fault)\n") }
            if faults.isEmpty {
                try Console.line("\(path ?? "the defaults"): no faults")
            } else {
                Console.note("\(faults.count) \(faults.count == 1 ? "fault" : "faults")")
            }
        }

        private static func json(_ fault: ConfigurationFault) -> JSONValue {
            [
                "file": .string(fault.file), "line": fault.line.map { .integer(Int64($0)) } ?? .null,
                "column": fault.column.map { .integer(Int64($0)) } ?? .null, "path": .string(fault.path),
                "message": .string(fault.message),
            ]
        }
    }

    /// Shows the effective configuration.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show the effective configuration, without secrets.")

        @OptionGroup var common: CommonOptions

        @Flag(name: .long, help: "Say where each value came from.")
        var sources = false

        func run() throws {
            let configuration = try common.configuration()
            if common.json {
                try Console.json(Array(configuration.renderJSON(sources: sources).utf8))
            } else {
                try Console.out(configuration.render(sources: sources))
            }
        }
    }
}
