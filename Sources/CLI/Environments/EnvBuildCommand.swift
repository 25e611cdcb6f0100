import ArgumentParser
import Foundation
import SlipwayCore

extension EnvCommand {
    /// Installs an environment ahead of its jobs.
    struct Build: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "build", abstract: "Install requirements ahead, so that the first job finds them.",
            discussion: """
                Shows what the installer says, and prints the id at the end. The same requirements in a job then start \
                at once.
                """)

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var installs: RequirementOptions

        @Option(name: .long, help: "For this container image.")
        var image: String?

        @Flag(name: .long, help: "Do not wait for the end of the installation.")
        var detach = false

        func validate() throws {
            guard !installs.requirements.isEmpty || installs.project != nil else {
                throw ValidationError("Say what to install: -r REQ or --project FOLDER.")
            }
        }

        func run() async throws {
            let client = try connection.client(common)
            var members = try installs.members()
            members["image"] = image.map(JSONValue.string)
            let progress = ProgressLine()
            let printer = EventPrinter(progress: progress, keepsOutput: true)
            var report = EnvironmentReport(
                try JobReport.parse(
                    try await client.call(
                        "POST", "/v1/environments", body: JSONValue.object(members).serialized()
                    ).body))
            var shown = 0
            let key = report.key
            while report.state == .building, !detach {
                shown = show(report, after: shown, printer)
                try await Task.sleep(for: .milliseconds(300))
                report = EnvironmentReport(
                    try JobReport.parse(try await client.call("GET", "/v1/environments/\(key)").body))
            }
            // The log of one that is ready is its installer's own, which was shown as it came.
            progress.hide(endsLine: true)
            if common.json { try Console.json(Array(report.node.raw)) } else { try Console.line(report.id) }
            if report.state == .failed {
                throw CommandExit(CommandExit.failed, report.node["error"]?.string ?? "it could not be installed")
            }
        }

        /// Shows what was said since the last look; gives how much was shown in all.
        private func show(_ report: EnvironmentReport, after shown: Int, _ printer: EventPrinter) -> Int {
            let log = Array((report.node["log"]?.string ?? "").utf8)
            if log.count > shown { printer.showBuild(Array(log[shown...])) }
            return max(shown, log.count)
        }
    }
}
