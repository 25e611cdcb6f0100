import ArgumentParser
import SlipwayCore

/// Cancels jobs.
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel jobs: everything that a task has started is ended.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var connection: ConnectionOptions

    @Flag(name: .long, help: "Only jobs that have not started; others are left alone.")
    var queued = false

    @Argument(help: "The jobs.")
    var ids: [String]

    func run() async throws {
        let jobs = try ids.map(JobID.argument)
        let client = try connection.client(common)
        var firstProblem: GatewayProblem?
        for job in jobs {
            do {
                let body = try await client.call("POST", "/v1/jobs/\(job)/cancel" + (queued ? "?only=queued" : "")).body
                let state = try JobReport(body).state
                try common.json
                    ? Console.json(body) : Console.line("\(job) \(state == .cancelled ? "cancelled" : "cancelling")")
            } catch let problem as GatewayProblem where problem.status == 404 || problem.status == 409 {
                Console.note("\(job): \(problem)")
                firstProblem = firstProblem ?? problem
            }
        }
        if let firstProblem { throw CommandExit(firstProblem.exitCode) }
    }
}
