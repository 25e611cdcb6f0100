/// A program of the runner that a sandbox starts with.
package enum RunnerProgram: String, Sendable {
    /// The one of every sandbox.
    case supervisor = "supervisor.py"
    /// What benchmarks compare with.
    case floor = "floor.py"

    /// The interpreter's options.
    ///
    /// The supervisor loads nothing that an image has installed, so it can do without `site`, whose import takes as
    /// long as half of the interpreter's start.
    package var options: [String] {
        switch self {
        case .supervisor: ["-I", "-S", "-B"]
        case .floor: ["-I", "-B"]
        }
    }
}
