import ArgumentParser
import Foundation
import SlipwayCore

/// Shows or saves the result of a job.
struct ResultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "result",
        abstract: "Show or save the result of a job that has ended.",
        discussion: "Results that are no text, such as pickles, are written as their bytes.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var connection: ConnectionOptions

    @Option(name: .shortAndLong, help: "Write the result's bytes to this file.")
    var output: String?

    @Argument(help: "The job.")
    var id: String

    func run() async throws {
        let job = try JobID.argument(id)
        let client = try connection.client(common)
        if common.json, output == nil {
            let body = try await client.call("GET", "/v1/jobs/\(job)/result").body
            try Console.json(body)
            return try finish(JobReport(try await client.call("GET", "/v1/jobs/\(job)").body))
        }
        let report = try JobReport(try await client.call("GET", "/v1/jobs/\(job)").body)
        guard report.state == .completed else {
            if report.state?.isTerminal == true { return try finish(report) }
            throw CommandExit(
                CommandExit.failed,
                "the job has not ended (it is \(report.state?.rawValue ?? "?")): slipway wait \(job)")
        }
        let accept = [(name: "Accept", value: "application/octet-stream")]
        let bytes = try await client.call("GET", "/v1/jobs/\(job)/result", headers: accept).body
        if let output {
            do {
                try Data(bytes).write(to: URL(fileURLWithPath: output), options: .atomic)
            } catch {
                throw CommandExit(CommandExit.unreachable, "cannot write \(output): \(SystemError.reason(error))")
            }
        } else if report.node["kind"]?.string == TaskSpec.Kind.callable.rawValue, Console.isOutputTerminal {
            throw CommandExit(
                CommandExit.usage, "the result is a pickle of \(bytes.count) bytes: save it with --output FILE.")
        } else if report.node["kind"]?.string == TaskSpec.Kind.command.rawValue {
            try Console.line("exit code \(report.node["exit_code"]?.integer ?? 0)")
        } else if report.node["kind"]?.string == TaskSpec.Kind.source.rawValue {
            try Console.json(bytes)
        } else {
            try Console.out(bytes)
        }
    }

    private func finish(_ report: JobReport) throws {
        if report.exitCode != CommandExit.done {
            throw CommandExit(
                report.exitCode, report.failure ?? "the command ended with exit code \(report.exitCode)")
        }
    }
}
