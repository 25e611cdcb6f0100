import Foundation
import Logging
import SlipwayCore

/// Writes log lines to standard error, for people or as JSON objects.
struct LineLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let format: Configuration.Log.Format

    init(label: String, format: Configuration.Log.Format) {
        self.label = label
        self.format = format
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        for source in [metadataProvider?.get() ?? [:], event.metadata ?? [:]] { all.merge(source) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        switch format {
        case .text: Console.error(text(event, all))
        case .json: Console.error(json(event, all))
        }
    }

    /// `2026-01-31T12:00:00.000Z info slipway: message key=value`.
    private func text(_ event: LogEvent, _ metadata: Logger.Metadata) -> String {
        var line = "\(RFC3339.text(Date())) \(event.level) \(label): "
        line += LogText.message("\(event.message)")
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " \(LogText.key(key))=\(LogText.value("\(value)"))"
        }
        return line + "\n"
    }

    private func json(_ event: LogEvent, _ metadata: Logger.Metadata) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("time")
            writer.value(Date())
            writer.name("level")
            writer.value(event.level.rawValue)
            writer.name("logger")
            writer.value(label)
            writer.name("message")
            writer.value("\(event.message)")
            for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
                // A member of ours that stood twice would make the line no JSON for strict readers.
                writer.name(escaping: ["time", "level", "logger", "message"].contains(key) ? key + "_" : key)
                writer.value("\(value)")
            }
        }
        return writer.bytes + [0x0A]
    }
}
