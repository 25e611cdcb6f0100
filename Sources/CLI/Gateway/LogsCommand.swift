import ArgumentParser
import SlipwayCore

/// Shows the output of a job.
struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show the output of a job.",
        discussion: "What the task wrote to its standard error goes to standard error, unless --stream picks one.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var connection: ConnectionOptions

    @Flag(name: .shortAndLong, help: "Go on until the job ends.")
    var follow = false

    @Option(name: .long, help: "Only this stream, to standard output: stdout, stderr, all of both, or build.")
    var stream: LogStream?

    @Option(name: .long, help: ArgumentHelp("Only so many lines from the end.", valueName: "lines"))
    var tail: Int?

    @Argument(help: "The job.")
    var id: String

    func validate() throws {
        if let tail {
            guard tail >= 0 else { throw ValidationError("--tail: a number of lines is 0 or more.") }
            guard !follow else { throw ValidationError("--tail cannot be combined with --follow.") }
            guard !common.json else { throw ValidationError("--tail cannot be combined with --json.") }
        }
    }

    func run() async throws {
        let job = try JobID.argument(id)
        let client = try connection.client(common)
        if common.json { return try await showEvents(of: job, client) }
        if follow, let stream { return try await follow(stream, of: job, client) }
        if stream != nil || tail != nil {
            let query = "stream=\((stream ?? .all).rawValue)" + (tail.map { "&tail=\($0)" } ?? "")
            return try await client.stream("/v1/jobs/\(job)/logs?\(query)") { try Console.out($0) }
        }
        guard follow else {
            for stream in [LogStream.stdout, .stderr] {
                try await client.stream("/v1/jobs/\(job)/logs?stream=\(stream.rawValue)") { bytes in
                    if stream == .stdout { try Console.out(bytes) } else { Console.error(bytes) }
                }
            }
            return
        }
        let printer = EventPrinter(progress: ProgressLine(isActive: false), keepsOutput: false)
        try await client.events(of: job) { try printer.show($0) }
    }

    /// Writes what comes of one stream, or of both, to standard output until the job ends.
    ///
    /// It is taken from the events: unlike the text of `GET /v1/jobs/{id}/logs`, they tell the end of the job from that
    /// of the gateway, and can be taken up again after one.
    private func follow(_ stream: LogStream, of job: JobID, _ client: GatewayClient) async throws {
        var retold = RetoldOutput()
        try await client.events(of: job) { line in
            let event = try JobReport.parse(line)
            retold.note(event["seq"]?.integer)
            guard event["type"]?.string == "log", let told = event["data"]?.stringBytes else { return }
            let source = event["stream"]?.string ?? ""
            let data = retold.news(of: source, told)
            guard LogStream(rawValue: source).map(stream.includes) == true else { return }
            try Console.out(data)
        }
    }

    /// The log events as JSON, one a line.
    private func showEvents(of job: JobID, _ client: GatewayClient) async throws {
        if !follow, try await JobReport(client.call("GET", "/v1/jobs/\(job)").body).state?.isTerminal != true {
            throw CommandExit(CommandExit.failed, "the job has not ended: add --follow to see its output as JSON.")
        }
        var retold = RetoldOutput()
        try await client.events(of: job) { line in
            let event = try JobReport.parse(line)
            retold.note(event["seq"]?.integer)
            guard event["type"]?.string == "log", let told = event["data"]?.stringBytes else { return }
            let data = retold.news(of: event["stream"]?.string ?? "", told)
            if let stream, stream != .all, event["stream"]?.string != stream.rawValue { return }
            guard data.count < told.count else { return try Console.json(line) }
            guard !data.isEmpty, case .object(var members) = try JSONValue(parsing: line) else { return }
            members["data"] = .string(String(decoding: data, as: UTF8.self))
            try Console.json(JSONValue.object(members).serialized())
        }
    }
}

extension LogStream: ExpressibleByArgument {}
