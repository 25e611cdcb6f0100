import Foundation
import SlipwayCore

/// Shows the events of a job as they come: its output, and on a terminal what it waits for.
final class EventPrinter {
    private let progress: ProgressLine
    /// Whether standard output is kept for JSON: all output of the task then goes to standard error.
    private let keepsOutput: Bool
    /// What the job waits for, for messages.
    private(set) var stage = "waiting"
    private var retold = RetoldOutput()

    init(progress: ProgressLine, keepsOutput: Bool) {
        self.progress = progress
        self.keepsOutput = keepsOutput
    }

    /// Shows one event.
    ///
    /// - Throws: ``CommandExit`` when standard output cannot be written any more.
    func show(_ json: [UInt8]) throws {
        let event = try JobReport.parse(json)
        retold.note(event["seq"]?.integer)
        switch event["type"]?.string {
        case "log":
            guard let told = event["data"]?.stringBytes else { return }
            let data = Array(retold.news(of: event["stream"]?.string ?? "", told))
            guard !data.isEmpty else { return }
            if event["stream"]?.string == LogStream.build.rawValue { return showBuild(data) }
            progress.hide(endsLine: data.last == 0x0A)
            if event["stream"]?.string == LogStream.stdout.rawValue, !keepsOutput {
                try Console.out(data)
            } else {
                Console.error(data)
            }
        case "job_update":
            update(event)
        case "progress":
            guard let current = event["current"]?.double, let total = event["total"]?.double, total > 0 else { return }
            let message = (event["message"]?.string).map { " " + Table.printable($0) } ?? ""
            // What the task says may be anything: what is beyond all bounds, or no number, is cut before it is rounded.
            let share = min(max(current / total, 0), 1)
            progress.show("\(share.isNaN ? 0 : Int((share * 100).rounded()))%\(message)")
        case "output_skipped":
            let name = (event["name"]?.string).flatMap { $0.isEmpty ? nil : Table.printable($0) } ?? "output"
            Console.note("not kept: \(name): \(Table.printable(event["reason"]?.string ?? "unknown"))")
        default:
            break
        }
    }

    /// Shows what an installer says: on a terminal its last line, elsewhere all of it.
    func showBuild(_ data: [UInt8]) {
        let lines = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).map { line in
            Table.printable(String(line)).trimmingCharacters(in: .whitespaces)
        }.filter { !$0.isEmpty }
        guard progress.isActive else {
            for line in lines { Console.error("build: \(line)\n") }
            return
        }
        guard let last = lines.last else { return }
        // How it ended stays to be read.
        if last.hasPrefix("Installed ") { progress.leave("slipway: \(last)") } else { progress.show(last) }
    }

    private func update(_ event: JSONNode) {
        switch (event["status"]?.string).flatMap(JobState.init(rawValue:)) {
        case .queued:
            stage = event["message"]?.string ?? "waiting for a sandbox"
            progress.show(stage)
        case .starting:
            stage = "starting"
            progress.show(stage)
        case .running:
            stage = "running"
            progress.show(stage)
        case .completed, .error, .cancelled:
            progress.hide(endsLine: true)
        case nil:
            break
        }
    }
}
