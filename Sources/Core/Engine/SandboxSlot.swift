import NIOCore

/// A place for one task in a sandbox; confined to the engine's loop.
final class SandboxSlot {
    /// Its number for the supervisor.
    let index: Int
    /// The job that runs in it.
    var job: ActiveJob?
    /// The attempt that has sent its result and is not verified clean yet.
    var cleaning: TaskReference? {
        didSet { if cleaning != oldValue { cleaningSince = cleaning == nil ? nil : .now() } }
    }
    /// Since when it is waited for the proof that it is clean.
    private(set) var cleaningSince: NIODeadline?
    /// An attempt that the host ended by itself: what still comes of it is ignored.
    var forgotten: TaskReference?

    init(index: Int) { self.index = index }

    /// Whether a frame about an attempt that does not run here any more may still come.
    func isOver(_ reference: TaskReference) -> Bool { cleaning == reference || forgotten == reference }
}
