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

    /// What a sandbox with so much memory adds to the environment of the runner's own processes, not of tasks.
    ///
    /// The supervisor's C library puts blocks of 2 MiB and more on huge pages then, and its heap: a page fault for each
    /// of those instead of one for every 4 KiB. A sandbox takes 2 to 4 MB more for it. Without `hugePages` the runner is
    /// told to leave them alone, too.
    package func environment(memoryBytes: Int, hugePages: Bool) -> [(name: String, value: String)] {
        guard self == .supervisor else { return [] }
        guard hugePages else { return [(name: "SLIPWAY_HUGE_PAGES", value: "0")] }
        return memoryBytes >= Self.ampleMemoryBytes
            ? [(name: "GLIBC_TUNABLES", value: "glibc.malloc.hugetlb=1")] : []
    }

    private static let ampleMemoryBytes = 64 << 20
}
