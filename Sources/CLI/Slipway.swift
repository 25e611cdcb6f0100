import ArgumentParser
import SlipwayCore

/// Runs Python tasks in warm, isolated containers.
@main
struct Slipway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slipway",
        abstract: "Runs Python tasks and commands in warm, pooled, isolated containers.",
        version: slipwayVersion,
        subcommands: [ServeCommand.self, RunCommand.self, BenchCommand.self])
}
