/// A stream of a task's output.
public enum LogStream: String, Sendable, CaseIterable {
    /// Standard output.
    case stdout
    /// Standard error.
    case stderr
    /// Both, in the order in which they arrived.
    case all
    /// What installers said while the job waited for its requirements; not the task's own, so not part of `all`.
    case build

    /// Whether a reader of this stream gets what was said on another one.
    package func includes(_ other: LogStream) -> Bool { self == other || self == .all && other != .build }
}
