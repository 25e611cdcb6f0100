import Foundation
import SlipwayCore

/// What the user sees of jobs in JSON that a gateway or an engine gave.
struct JobReport {
    let node: JSONNode

    /// The column of the values in ``text``.
    private static let titleWidth = 11

    /// Reads a job.
    ///
    /// - Throws: ``CommandExit`` with code 3 when it is none.
    init(_ bytes: [UInt8]) throws {
        node = try Self.parse(bytes)
        guard node["id"]?.string != nil, node["state"]?.string != nil else { throw Self.unreadable }
    }

    init(_ node: JSONNode) { self.node = node }

    var id: String { node["id"]?.string ?? "" }
    var state: JobState? { (node["state"]?.string).flatMap(JobState.init(rawValue:)) }

    /// The code that a command ends with when this job is at its end: a command task's own only where it ended itself,
    /// not where it was ended by a time-out or for its memory.
    var exitCode: Int32 {
        if state == .completed { return CommandExit.done }
        if node["error"]?["kind"]?.string == JobError.Kind.startFailed.rawValue { return CommandExit.unreachable }
        guard node["error"]?["kind"]?.string == JobError.Kind.exit.rawValue,
            node["kind"]?.string == TaskSpec.Kind.command.rawValue, let code = node["exit_code"]?.integer,
            (1...255).contains(code)
        else { return CommandExit.failed }
        return Int32(code)
    }

    /// Why the job failed, in words; nil when it did not, or when a command's own exit code says it.
    var failure: String? {
        if state == .cancelled { return "the job was cancelled" }
        guard state == .error, let error = node["error"] else { return nil }
        let kind = error["kind"]?.string ?? "error"
        if kind == JobError.Kind.exit.rawValue, node["kind"]?.string == TaskSpec.Kind.command.rawValue,
            let code = node["exit_code"]?.integer, (1...127).contains(code)
        {
            return nil
        }
        let traceback = error["traceback"]?.string ?? ""
        let message = error["message"]?.string ?? ""
        let type = (error["type"]?.string).map { "\($0): " } ?? ""
        let head = traceback.isEmpty ? "" : traceback + (traceback.hasSuffix("\n") ? "" : "\n")
        return "\(head)the job failed (\(kind)): \(message.hasPrefix(type) ? "" : type)\(message)"
    }

    /// The job as lines of `key: value`.
    var text: String {
        var lines: [(String, String)] = [("job", id)]
        lines.append(("name", node["name"]?.string ?? "-"))
        lines.append(("state", node["state"]?.string ?? "?"))
        if let message = node["message"]?.string { lines.append(("message", message)) }
        if let attempt = node["attempt"]?.integer, attempt > 1 { lines.append(("attempt", "\(attempt)")) }
        for (title, key) in [("created", "created_at"), ("started", "started_at"), ("finished", "finished_at")] {
            if let time = node[key]?.string { lines.append((title, time)) }
        }
        lines.append(("times", Self.times(node)))
        if let sandbox = node["sandbox"]?.string {
            lines.append(("sandbox", sandbox + ((node["start"]?.string).map { " (\($0))" } ?? "")))
        }
        if let code = node["exit_code"]?.integer { lines.append(("exit code", "\(code)")) }
        if let usage = node["usage"], let cpu = usage["cpu_seconds"]?.double, let memory = usage["max_rss"]?.integer {
            lines.append(("used", "\(Self.duration(cpu)) of processor, \(Self.size(memory)) of memory"))
        }
        if let error = node["error"], let kind = error["kind"]?.string {
            lines.append(("error", "\(kind): \(error["message"]?.string ?? "")"))
        }
        let labels = node["labels"]?.members.map { "\($0.name)=\($0.value.string ?? "")" } ?? []
        if !labels.isEmpty { lines.append(("labels", labels.joined(separator: " "))) }
        return lines.filter { !$0.1.isEmpty }.map { title, value -> String in
            let text = Table.printableLines(value.trimmingCharacters(in: .newlines), indent: Self.titleWidth)
            return "\((title + ":").padding(toLength: Self.titleWidth, withPad: " ", startingAt: 0))\(text)\n"
        }.joined()
    }

    /// Jobs as a table.
    static func table(_ jobs: [JobReport]) -> String {
        var table = Table("JOB", "STATE", "NAME", "START", "RUN", "CREATED")
        for job in jobs {
            table.add([
                job.id, job.node["state"]?.string ?? "?", job.node["name"]?.string ?? "-",
                job.node["start"]?.string ?? "-", job.node["timings"]?["run"]?.double.map(duration) ?? "-",
                job.node["created_at"]?.string ?? "-",
            ])
        }
        return table.text
    }

    /// Parses an answer.
    ///
    /// - Throws: ``CommandExit`` with code 3.
    static func parse(_ bytes: [UInt8]) throws -> JSONNode {
        do throws(JSONParseError) {
            return try JSONDocument(parsing: bytes, limits: .init(depth: 600)).root
        } catch {
            throw unreadable
        }
    }

    private static let unreadable = CommandExit(
        CommandExit.unreachable, "the answer is not what a slipway gateway says: is the address right?")

    private static func times(_ node: JSONNode) -> String {
        ["queued", "start", "run", "total"].compactMap { name in
            (node["timings"]?[name]?.double).map { "\(name) \(duration($0))" }
        }.joined(separator: ", ")
    }

    /// Seconds as a short text, such as `1.2 ms` or `3.4 s`.
    static func duration(_ seconds: Double) -> String {
        switch seconds {
        case ..<0.001: String(format: "%.0f us", seconds * 1e6)
        case ..<1: String(format: "%.1f ms", seconds * 1e3)
        case ..<120: String(format: "%.1f s", seconds)
        default: String(format: "%.0f min", seconds / 60)
        }
    }

    /// Bytes as a short text, such as `18 MiB`.
    static func size(_ bytes: Int) -> String {
        for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] where bytes >= 1 << shift {
            return String(format: "%.1f %@", Double(bytes) / Double(1 << shift), unit)
        }
        return "\(bytes) B"
    }
}
