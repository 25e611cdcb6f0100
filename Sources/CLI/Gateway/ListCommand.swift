import ArgumentParser
import Foundation
import SlipwayCore

/// Lists jobs.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List jobs, newest first.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var connection: ConnectionOptions

    @Option(name: .long, help: "Only jobs in this state. Repeatable.")
    var state: [JobState] = []

    @Option(name: .long, help: ArgumentHelp("Only jobs with this label. Repeatable.", valueName: "key=value"))
    var label: [String] = []

    @Option(name: .long, help: "Only jobs of this name.")
    var name: String?

    @Option(name: .long, help: "At most so many jobs, 1 to 500.")
    var limit = 50

    @Option(name: .long, help: "Go on where an earlier list ended.")
    var cursor: String?

    func validate() throws {
        guard (1...500).contains(limit) else {
            throw ValidationError("--limit: 1 to 500 jobs can be listed at a time.")
        }
        for item in label where item.firstIndex(of: "=").map({ $0 == item.startIndex }) ?? true {
            throw ValidationError("--label: '\(item)' has no form KEY=VALUE.")
        }
    }

    func run() async throws {
        var query = [("limit", "\(limit)")]
        if !state.isEmpty { query.append(("state", state.map(\.rawValue).joined(separator: ","))) }
        let labels = label.map { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return "\(parts[0]):\(parts[1])"
        }
        if !labels.isEmpty { query.append(("label", labels.joined(separator: ","))) }
        if let name { query.append(("name", name)) }
        if let cursor { query.append(("cursor", cursor)) }
        let text = query.map { "\($0)=\(Self.encoded($1))" }.joined(separator: "&")
        let body = try await connection.client(common).call("GET", "/v1/jobs?\(text)").body
        if common.json { return try Console.json(body) }
        let root = try JobReport.parse(body)
        let jobs = root["jobs"]?.elements.map { JobReport($0) } ?? []
        if jobs.isEmpty {
            Console.note("no jobs")
        } else {
            try Console.out(JobReport.table(jobs))
        }
        if let next = root["next_cursor"]?.string { Console.note("there are more: --cursor \(next)") }
    }

    /// Percent-encodes everything but what RFC 3986 calls unreserved.
    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(Unicode.Scalar(byte))
            let isPlain = byte < 0x80 && (character.isLetter || character.isNumber)
            return isPlain || Array("-._~".utf8).contains(byte)
                ? String(Unicode.Scalar(byte)) : String(format: "%%%02X", byte)
        }.joined()
    }
}

extension JobState: ExpressibleByArgument {}
