/// A stream of a task's output.
public enum LogStream: String, Sendable, CaseIterable {
    /// Standard output.
    case stdout
    /// Standard error.
    case stderr
    /// Both, in the order in which they arrived.
    case all
}
