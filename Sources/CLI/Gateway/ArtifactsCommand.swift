import ArgumentParser
import Foundation
import SlipwayCore

/// Lists or saves the files that a task left.
struct ArtifactsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "artifacts",
        abstract: "List or save the files that a task left in $SLIPWAY_OUTPUT.",
        discussion: "A symbolic link below the folder is never followed; files of the same names are replaced.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var connection: ConnectionOptions

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Save the files into this folder, under their names.", valueName: "folder"))
    var output: String?

    @Argument(help: "The job, which must have ended.")
    var id: String

    @Argument(help: "Only these files; all otherwise.")
    var names: [String] = []

    func run() async throws {
        let job = try JobID.argument(id)
        if let output { try ArtifactFolder(output).check() }
        let client = try connection.client(common)
        let body = try await client.call("GET", "/v1/jobs/\(job)/artifacts").body
        let all = try JobReport.parse(body)["artifacts"].map { Array($0.elements) } ?? []
        // As bytes: names of files may be alike to Swift and not to a file system.
        let known = Set(all.compactMap { $0["name"]?.string.map { Array($0.utf8) } })
        if let missing = names.first(where: { !known.contains(Array($0.utf8)) }) {
            throw CommandExit(CommandExit.failed, "the job left no file '\(missing)': slipway artifacts \(job)")
        }
        let wanted = Set(names.map { Array($0.utf8) })
        let chosen = all.filter { names.isEmpty || wanted.contains(Array(($0["name"]?.string ?? "").utf8)) }
        if let output {
            let folder = ArtifactFolder(output)
            for artifact in chosen {
                guard let name = artifact["name"]?.string, let url = artifact["url"]?.string else { continue }
                try await folder.save(name) { take in try await client.stream(url) { try take($0) } }
            }
            Console.note("saved \(chosen.count) \(chosen.count == 1 ? "file" : "files") in \(output)")
        }
        if common.json {
            try Console.json(body)
        } else if output == nil {
            try Console.out(Self.table(chosen))
        }
    }

    private static func table(_ artifacts: [JSONNode]) -> String {
        var table = Table("NAME", "SIZE", "TYPE", "SHA-256")
        for artifact in artifacts {
            table.add([
                artifact["name"]?.string ?? "?", JobReport.size(artifact["size"]?.integer ?? 0),
                artifact["media_type"]?.string ?? "?", artifact["sha256"]?.string ?? "?",
            ])
        }
        return table.text
    }
}
