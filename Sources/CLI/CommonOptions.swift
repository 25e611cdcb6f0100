import ArgumentParser
import Foundation
import Logging
import SlipwayCore

/// Options of every subcommand.
struct CommonOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Read the configuration from this file.", valueName: "file"))
    var config: String?

    @Flag(name: .long, help: "Write machine-readable JSON to standard output.")
    var json = false

    /// The configuration of the named file, of ./config.yaml where there is one, or the defaults.
    func configuration() throws -> Configuration {
        let environment = ProcessInfo.processInfo.environment
        if let path = config ?? environment["SLIPWAY_CONFIG"] { return try Configuration.load(path: path) }
        if FileManager.default.fileExists(atPath: "config.yaml") { return try Configuration.load(path: "config.yaml") }
        return try Configuration.load()
    }

    /// A logger that writes to standard error.
    func logger(_ configuration: Configuration, level: Logger.Level? = nil) -> Logger {
        var logger = Logger(label: "slipway") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level ?? configuration.log.level
        return logger
    }
}
