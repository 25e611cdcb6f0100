import ArgumentParser
import Foundation
import Logging
import SlipwayCore

/// Options of every subcommand.
struct CommonOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Read the configuration from this file. Otherwise $SLIPWAY_CONFIG, ./config.yaml, or the defaults.",
            valueName: "file"))
    var config: String?

    @Flag(name: .long, help: "Write machine-readable JSON to standard output, messages to standard error.")
    var json = false

    /// The file that the configuration is read from; nil for the defaults.
    var configurationPath: String? {
        if let path = config ?? ProcessInfo.processInfo.environment["SLIPWAY_CONFIG"], !path.isEmpty { return path }
        return FileManager.default.fileExists(atPath: "config.yaml") ? "config.yaml" : nil
    }

    /// The configuration of the named file, of ./config.yaml where there is one, or the defaults.
    func configuration() throws -> Configuration {
        let configuration = try Self.load(configurationPath)
        for warning in configuration.warnings { Console.note("\(warning)") }
        return configuration
    }

    /// The configuration of a file, or the defaults.
    static func load(_ path: String?) throws(ConfigurationError) -> Configuration {
        guard let path else { return try Configuration.load() }
        var status = stat()
        let number = stat(path, &status) == 0 ? (status.st_mode & S_IFMT == S_IFDIR ? EISDIR : 0) : errno
        // The loader itself has words for a file that is missing or not allowed.
        guard [0, ENOENT, EACCES].contains(number) else {
            let message = "cannot be read: \(SystemError.words(number))"
            throw ConfigurationError(faults: [ConfigurationFault(file: path, message: message)])
        }
        return try Configuration.load(path: path)
    }

    /// A logger that writes to standard error.
    func logger(_ configuration: Configuration, level: Logger.Level? = nil) -> Logger {
        var logger = Logger(label: "slipway") { LineLogHandler(label: $0, format: configuration.log.format) }
        logger.logLevel = level ?? configuration.log.level
        return logger
    }
}
