import Logging
import Synchronization

/// Keeps what is logged.
struct KeptLog: LogHandler {
    final class Lines: Sendable {
        private let lines = Mutex<[(level: Logger.Level, text: String)]>([])
        func add(_ level: Logger.Level, _ text: String) { lines.withLock { $0.append((level, text)) } }
        /// The lines of a level and of those that are more severe.
        func above(_ level: Logger.Level) -> [String] {
            lines.withLock { lines in lines.filter { $0.level >= level }.map(\.text) }
        }
        var count: Int { lines.withLock { $0.count } }
    }

    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.add(event.level, "\(event.message)") }
}
