/// What the pool machine is told.
///
/// Replies may be late, doubled, or about sandboxes that are unknown by now: those are ignored.
package enum PoolEvent: Sendable {
    /// A job needs a sandbox; its tenant is the specialisation's, `weight` is the tenant's share (at least 1).
    ///
    /// Among a tenant's requests of one priority lower turns go first, then those that came earlier: what a job needs
    /// may be found out sooner than for one that was submitted before it.
    case request(RequestID, SandboxClass, Specialisation, priority: Int, weight: Int, turn: UInt64 = 0)
    /// The job needs it no more; without effect once granted, a granted sandbox is given back by `released`.
    case cancelRequest(RequestID)
    /// The sandbox runs, is connected and belongs to nobody yet.
    case started(SandboxID)
    /// The sandbox could not be started; what is left of it is destroyed.
    case startFailed(SandboxID, reason: String)
    /// The sandbox has its specialisation.
    case specialised(SandboxID)
    /// The sandbox could not take its specialisation; it is destroyed.
    case specialiseFailed(SandboxID, reason: String)
    /// The lease of a slot is over; `clean` says that the runner verified it.
    case released(SandboxID, slot: Int = 0, clean: Bool, reason: String)
    /// The sandbox is frozen.
    case paused(SandboxID)
    /// The sandbox is thawed.
    case resumed(SandboxID)
    /// The sandbox could not be frozen or thawed; it is destroyed.
    case pausingFailed(SandboxID, reason: String)
    /// The sandbox is gone or broken, in whatever state it was.
    case lost(SandboxID, reason: String)
    /// Nothing is left of a sandbox that was to be destroyed.
    case removed(SandboxID)
    /// The destruction did not succeed; it is ordered again after a pause.
    case removeFailed(SandboxID, reason: String)
    /// A sandbox of an earlier run of this engine reconnected.
    ///
    /// `leased` are the slots in which tasks run.
    case adopted(SandboxID, SandboxClass, Specialisation, leased: [Int], uses: Int)
    /// Stem cells of this class are kept from now on.
    case declare(SandboxClass)
    /// The configuration has this class no longer: its sandboxes are given up as they become free.
    case undeclare(SandboxClass)
    /// The time asked for by `wake` has come.
    case tick
    /// No more sandboxes: requests are refused, free sandboxes destroyed, leased ones after their lease.
    case drain
    /// What all sandboxes together may take; while it is nil nothing starts.
    case capacity(Capacity?)
    /// Whether the container engine answers; while it does not, only `process` sandboxes start.
    case enginesUp(Bool)
}
