import ArgumentParser
import SlipwayCore

/// Submits one job to a gateway.
struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Submit one Python file, code or command to a gateway.",
        usage: """
            slipway submit [<options>] FILE.py [<arg> ...]
            slipway submit [<options>] -c CODE [<arg> ...]
            slipway submit [<options>] -- COMMAND [<arg> ...]
            """,
        discussion: """
            Prints the id of the job. With --wait its output appears as it comes, as with run; Ctrl-C then cancels it. \
            \(JobOptions.kinds)
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var job: JobOptions

    @Flag(name: .long, help: "Show the output, wait for the end, and end with the job's exit code.")
    var wait = false

    @Option(name: .long, help: ArgumentHelp("Submit at most once under this key.", valueName: "key"))
    var idempotencyKey: String?

    func validate() throws {
        if job.asksForHelp { throw CleanExit.helpRequest(self) }
    }

    func run() async throws {
        let body = try JobDraft(job).body()
        let client = try connection.client(common)
        let headers = idempotencyKey.map { [(name: "Idempotency-Key", value: $0)] } ?? []
        let interrupts = wait ? Interrupts() : nil
        let answer = try await client.call("POST", "/v1/jobs", body: body, headers: headers).body
        let report = try JobReport(answer)
        guard let interrupts, let id = JobID(report.id) else {
            return try common.json ? Console.json(answer) : Console.line(report.id)
        }
        let watch = JobWatch(interrupts, ProgressLine(), common.json)
        if !common.json { Console.note(report.id) }
        let interrupted = try await watch.follow { show in
            try await client.events(of: id, show)
        } cancel: {
            try await client.call("POST", "/v1/jobs/\(id)/cancel")
        }
        // The job has ended: a short wait covers what is still being stored, and brings the result along.
        let ended = try await client.wait(for: id, upTo: .seconds(30))
        let last = try JobReport(ended)
        if common.json {
            try Console.json(ended)
        } else if let value = last.node["result"]?["value"] {
            try Console.json(Array(value.raw))
        } else if last.state == .completed, last.node["result"] == nil {
            // It may be damaged where it is stored: its own address says so.
            try await client.call("GET", "/v1/jobs/\(id)/result")
        }
        if let interrupted, last.state != .completed { throw CommandExit(128 + interrupted) }
        if last.exitCode != CommandExit.done { throw CommandExit(last.exitCode, last.failure) }
    }
}
