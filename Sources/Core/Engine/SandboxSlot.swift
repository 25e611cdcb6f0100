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
    /// Since when it is waited for the proof that it is clean, and nothing but that.
    var cleaningSince: NIODeadline?
    /// Whether the host has the result of that attempt and has not said so: its runner may keep files until it does.
    var owesAcknowledgement = false
    /// Attempts of which nothing more is wanted, that the host ended by itself for instance: what still comes is ignored.
    var forgotten: Set<TaskReference> = []

    init(index: Int) { self.index = index }

    /// Whether a frame about an attempt that does not run here any more may still come.
    func isOver(_ reference: TaskReference) -> Bool { cleaning == reference || forgotten.contains(reference) }
}
