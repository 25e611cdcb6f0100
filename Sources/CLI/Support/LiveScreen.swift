import Synchronization

/// A text on a terminal that is written over the one before it.
final class LiveScreen: Sendable {
    private let shown = Mutex(0)

    /// Shows a text in the place of the last one; where standard output is no terminal, below it.
    func show(_ text: String) throws {
        let height = text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
        let before = shown.withLock { shown in
            defer { shown = height }
            return shown
        }
        guard Console.isOutputTerminal else { return try Console.out(text) }
        // Up to the first line of the last text, then each line where what stood there was wiped out. The terminal cuts
        // lines at its edge: one that goes on in a second line would be one more to go up.
        let up = before > 0 ? "\u{1B}[\(before)A" : ""
        let lines = text.split(separator: "\n").map { "\r\u{1B}[K\($0)\n" }.joined()
        try Console.out("\u{1B}[?7l\(up)\(lines)\u{1B}[J\u{1B}[?7h")
    }
}
