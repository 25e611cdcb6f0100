import Synchronization

/// A text on a terminal that is written over the one before it.
final class LiveScreen: Sendable {
    private let shown = Mutex(0)

    /// Shows a text in the place of the last one; where standard output is no terminal, below it.
    func show(_ text: String) throws {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
        let before = shown.withLock { shown in
            defer { shown = lines }
            return shown
        }
        guard Console.isOutputTerminal else { return try Console.out(text) }
        // Up to the first line of the last text, then each line with what stood there wiped out.
        let up = before > 0 ? "\u{1B}[\(before)A" : ""
        try Console.out(up + text.split(separator: "\n").map { "\r\($0)\u{1B}[K\n" }.joined() + "\u{1B}[J")
    }
}
