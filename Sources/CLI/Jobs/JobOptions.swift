import ArgumentParser
import Foundation
import SlipwayCore

/// The options that say what a job runs and with what, alike for `run` and `submit`.
struct JobOptions: ParsableArguments {
    @OptionGroup var installs: RequirementOptions

    @Option(name: .long, help: "Run in this container image.")
    var image: String?

    @Option(name: .long, help: "Processor cores, such as 0.5.")
    var cpus: Double?

    @Option(name: .long, help: ArgumentHelp("Memory, such as 512m or 2g.", valueName: "size"))
    var memory: String?

    @Option(name: .long, help: ArgumentHelp("How many GPUs; section gpus says which.", valueName: "count"))
    var gpus: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("Memory of each GPU, so that others of the tenant may share it.", valueName: "size"))
    var gpuMemory: String?

    @Option(name: .long, help: ArgumentHelp("Network: none, egress, host_gateway or bridge.", valueName: "mode"))
    var network: String?

    @Option(name: .long, help: ArgumentHelp("End the task after this time, such as 30s or 5m.", valueName: "time"))
    var timeout: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Give this file to the task as its standard input, which is empty otherwise; - passes on what comes here.",
            valueName: "file"))
    var stdin: String?

    @Option(name: .long, help: ArgumentHelp("Set a variable for the task. Repeatable.", valueName: "key=value"))
    var env: [String] = []

    @Option(name: .long, help: ArgumentHelp("Hand a configured secret to the task. Repeatable.", valueName: "name"))
    var secret: [String] = []

    @Option(name: .long, help: ArgumentHelp("Label the job. Repeatable.", valueName: "key=value"))
    var label: [String] = []

    @Option(name: .long, help: "Name the job; the file's name otherwise.")
    var name: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            """
            Call this function of FILE.py, with the arguments as strings, and print what it returns as JSON. It may \
            import slipway and call slipway.emit and slipway.progress.
            """,
            valueName: "function"))
    var pythonEntrypoint: String?

    @Option(name: .customShort("c"), help: ArgumentHelp("Run this Python code.", valueName: "code"))
    var code: String?

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("FILE.py with its arguments, or -- and a command with its arguments.", valueName: "file"))
    var arguments: [String] = []

    /// How the forms of Python differ, for the help of both commands.
    static let kinds = """
        FILE.py and CODE run as with python3, so there is no module slipway to import; with --python-entrypoint there \
        is.
        """

    static let nothingToRun = "Say what to run: FILE.py, -c CODE, or -- COMMAND."

    /// Whether a command follows, not a file.
    var isCommand: Bool { code == nil && arguments.first == "--" }

    /// The file, or the command, with its arguments; with `-c` the arguments alone.
    var words: [String] { arguments.first == "--" ? Array(arguments.dropFirst()) : arguments }

    /// Whether help is asked for: everything after the first word belongs to the task, and help would, too.
    var asksForHelp: Bool { code == nil && ["-h", "--help"].contains(arguments.first) }

    func validate() throws {
        guard !asksForHelp else { return }
        if code == nil, words.isEmpty { throw ValidationError(Self.nothingToRun) }
        if arguments.first != "--", let first = arguments.first, first.hasPrefix("-"), first.count > 1 {
            throw ValidationError("Unknown option '\(first)'. What belongs to the task comes after --.")
        }
        if pythonEntrypoint != nil, code != nil || isCommand {
            throw ValidationError("--python-entrypoint needs a FILE.py.")
        }
        if stdin != nil, pythonEntrypoint != nil {
            throw ValidationError("--stdin cannot be combined with --python-entrypoint: a function has its arguments.")
        }
        _ = try environment
        _ = try labels
        if let cpus, !cpus.isFinite {
            throw ValidationError("--cpus: '\(cpus)' is no number of processors; write it as 0.5.")
        }
        if let memory, Quantity.bytes(memory) == nil {
            throw ValidationError("--memory: '\(memory)' is no size; write it as 512m or 2g.")
        }
        if let gpus, gpus < 1 { throw ValidationError("--gpus: at least 1; leave it out for none.") }
        if let gpuMemory, gpus == nil || Quantity.bytes(gpuMemory) == nil {
            throw ValidationError(
                gpus == nil
                    ? "--gpu-memory needs --gpus."
                    : "--gpu-memory: '\(gpuMemory)' is no size; write it as 8g.")
        }
        if let timeout, Quantity.duration(timeout) == nil {
            throw ValidationError("--timeout: '\(timeout)' is no time; write it as 30s or 5m.")
        }
    }

    /// The variables of `--env`.
    var environment: [String: String] {
        get throws { try Self.pairs(env, "--env") }
    }

    /// The labels of `--label`.
    var labels: [String: String] {
        get throws { try Self.pairs(label, "--label") }
    }

    private static func pairs(_ items: [String], _ option: String) throws -> [String: String] {
        var result: [String: String] = [:]
        for item in items {
            guard let sign = item.firstIndex(of: "="), sign > item.startIndex else {
                throw ValidationError("\(option): '\(item)' has no form KEY=VALUE.")
            }
            result[String(item[..<sign])] = String(item[item.index(after: sign)...])
        }
        return result
    }
}
