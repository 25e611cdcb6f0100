import ArgumentParser
import Foundation
import Logging
import SlipwayCore
import SlipwayGateway

/// Runs one job on an embedded engine.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run one Python file, code or command in a sandbox, without a gateway.",
        usage: """
            slipway run [<options>] FILE.py [<arg> ...]
            slipway run [<options>] -c CODE [<arg> ...]
            slipway run [<options>] -- COMMAND [<arg> ...]
            """,
        discussion: """
            The output of the task appears as it comes. Ctrl-C cancels the job. Nothing stays behind: neither the \
            sandbox nor the job. \(JobOptions.kinds)
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var job: JobOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Save what the task leaves in $SLIPWAY_OUTPUT into this folder.", valueName: "folder"))
    var output: String?

    @Flag(name: .shortAndLong, help: "Show the engine's log on standard error.")
    var verbose = false

    func validate() throws {
        if job.asksForHelp { throw CleanExit.helpRequest(self) }
        // A gateway lists those that its operator allows; here all are.
        if let mode = job.network, Configuration.Sandbox.NetworkMode(rawValue: mode) == nil {
            let modes = Configuration.Sandbox.NetworkMode.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--network: '\(mode)' is no network mode; take one of \(modes).")
        }
    }

    func run() async throws {
        if let output { try ArtifactFolder(output).check() }
        let draft = try JobDraft(job)
        var settings = try common.configuration()
        // Whoever runs an engine of their own decides about its network.
        if let mode = job.network.flatMap(Configuration.Sandbox.NetworkMode.init(rawValue:)) {
            settings.sandbox.network = mode
        }
        let request = try draft.request()
        // The same goes for where images and requirements come from.
        settings.sandbox.imageAllow += [request.image].compactMap(\.self)
        settings.environments.projectAllow += [request.project].compactMap(\.self)
        settings.environments.indexAllow += [request.indexURL].compactMap(\.self)
        let interrupts = Interrupts()
        let progress = ProgressLine()
        progress.show("starting the engine")
        let embedded: EmbeddedEngine
        do {
            embedded = try await EmbeddedEngine.open(
                settings, logger: common.logger(settings, level: verbose ? nil : .critical))
        } catch {
            progress.hide(endsLine: true)
            throw error
        }
        let end: Result<CommandExit, any Error>
        do {
            end = .success(try await perform(request, embedded.engine, JobWatch(interrupts, progress, common.json)))
        } catch {
            end = .failure(error)
        }
        progress.hide(endsLine: true)
        await embedded.close()
        let exit = try end.get()
        if exit.code != CommandExit.done { throw exit }
    }

    /// Saves the files that the task left, or says that they go with the engine.
    private func keepFiles(of id: JobID, _ engine: Engine) async throws {
        let artifacts = try await engine.artifacts(of: id)
        guard let first = artifacts.first else { return }
        let count = artifacts.count == 1 ? "1 file" : "\(artifacts.count) files"
        guard let output else {
            let names = artifacts.prefix(3).map { Table.printable($0.name) }.joined(separator: ", ")
            let size = JobReport.size(artifacts.reduce(0) { $0 + $1.sizeBytes })
            let more = artifacts.count > 3 ? ", ..." : ""
            Console.note("the task left \(count) (\(size)): \(names)\(more); --output FOLDER keeps them")
            return
        }
        let folder = ArtifactFolder(output)
        for artifact in artifacts {
            let content = try await engine.content(ofArtifact: artifact.name, of: id)
            try await folder.save(artifact.name) { take in
                while let piece = try await content.next() { try take(piece) }
            }
        }
        let name = artifacts.count == 1 ? Table.printable(first.name) : count
        Console.note("saved \(name) in \(output)")
    }

    /// Runs the job to its end and shows its result.
    private func perform(_ request: JobRequest, _ engine: Engine, _ watch: JobWatch) async throws -> CommandExit {
        let job = try await engine.submit(request)
        if job.handler == "process" {
            Console.note("no container engine is used: the task runs as a local process, which is no security boundary")
        }
        let interrupted = try await watch.follow { show in
            for await event in try await engine.events(of: job.id) { try show(event.json) }
        } cancel: {
            try await engine.cancel(job.id)
        }
        let outcome = try await engine.wait(for: job.id, upTo: .seconds(60))
        let report = try JobReport(JobEncoder.bytes(outcome.job))
        if common.json {
            try Console.json(JobEncoder.bytes(outcome.job, result: outcome))
        } else if let result = outcome.result, result.media == .json {
            try Console.json(result.bytes)
        }
        try await keepFiles(of: job.id, engine)
        if let interrupted, report.state != .completed { return CommandExit(128 + interrupted) }
        return CommandExit(report.exitCode, report.failure)
    }
}
