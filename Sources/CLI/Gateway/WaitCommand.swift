import ArgumentParser
import SlipwayCore

/// Waits for the end of jobs.
struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until jobs have ended.",
        discussion: "Ends with the exit code of the first job that failed.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var connection: ConnectionOptions

    @Option(name: .long, help: ArgumentHelp("Wait at most this time, such as 30s; then end with 1.", valueName: "time"))
    var timeout: String?

    @Argument(help: "The jobs.")
    var ids: [String]

    func validate() throws {
        if let timeout, Quantity.duration(timeout) == nil {
            throw ValidationError("--timeout: '\(timeout)' is no time; write it as 30s or 5m.")
        }
    }

    func run() async throws {
        let jobs = try ids.map(JobID.argument)
        let client = try connection.client(common)
        let deadline = ContinuousClock.now + (timeout.flatMap(Quantity.duration) ?? .seconds(1_000_000_000))
        var worst: CommandExit?
        for job in jobs {
            let body = try await client.wait(for: job, upTo: deadline - .now)
            let report = try JobReport(body)
            guard let state = report.state, state.isTerminal else {
                throw CommandExit(CommandExit.failed, "\(job) has not ended: it is \(report.state?.rawValue ?? "?")")
            }
            try common.json ? Console.json(body) : Console.line("\(job) \(state.rawValue)")
            if report.exitCode != CommandExit.done, worst == nil {
                worst = CommandExit(report.exitCode, report.failure)
            }
        }
        if let worst { throw worst }
    }
}
