/// What a key allows.
public enum KeyScope: String, Sendable, CaseIterable {
    /// Looking at jobs, results, logs, events and pools.
    case read
    /// Submitting, cancelling and deleting jobs.
    case submit
    /// Administration of tenants and keys.
    case admin
}
