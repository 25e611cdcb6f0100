/// What an artifact of a job is.
package enum ArtifactKind: Int64, Sendable, CaseIterable {
    /// The task's input.
    case input = 0
    /// The result.
    case result = 1
    /// The logs and events.
    case journal = 2
    /// The files that the task left, one on a line.
    case outputs = 3

    /// The word in the file's name.
    var fileWord: String {
        switch self {
        case .input: "in"
        case .result: "out"
        case .journal: "log"
        case .outputs: "files"
        }
    }
}
