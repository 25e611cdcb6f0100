/// How many sandboxes of one class are kept, and for how long.
package struct PoolRules: Sendable, Equatable {
    /// What happens to a request when all sandboxes are in use and the pool may not grow.
    package enum Exhaustion: String, Sendable, CaseIterable {
        /// It waits.
        case queue
        /// A sandbox beyond `max` is started, at most `max` of them; surplus ones are destroyed after a lease
        /// when their tenant has no more requests.
        case cold
        /// It is refused.
        case reject
    }

    /// Stem cells to keep: always for declared classes, for others until `idleTTL` after the last request.
    package var minIdle: Int
    /// The most sandboxes of the class, in any state, those not yet removed included; at least 1.
    package var max: Int
    /// Seconds without a lease after which a specialised or surplus sandbox is destroyed.
    package var idleTTL: Double
    /// Leases after which a sandbox is destroyed; 0 for no limit.
    package var maxUses: Int
    /// Seconds since its start after which a sandbox is destroyed, once it is free; 0 for no limit.
    package var maxAge: Double
    /// Seconds without a lease after which a sandbox is frozen; 0 for never.
    package var pauseAfter: Double
    /// Seconds after its last lease for which a tenant's free sandboxes count for its share.
    package var fairWindow: Double
    /// What happens when all are in use.
    package var onExhausted: Exhaustion
    /// Seconds without a start after a first failed start, doubled for each further round of failures.
    package var startBackoff: Double
    /// The most seconds between two tries to start.
    package var startBackoffMax: Double
    /// The most sandboxes that start at the same time, over all classes; at least 1.
    package var startingMax: Int

    /// Makes a policy; the defaults are those of the configuration.
    package init(
        minIdle: Int, max: Int, idleTTL: Double, maxUses: Int, maxAge: Double, onExhausted: Exhaustion,
        startBackoff: Double, startBackoffMax: Double, startingMax: Int, pauseAfter: Double = 0,
        fairWindow: Double = 60
    ) {
        self.pauseAfter = pauseAfter
        self.fairWindow = fairWindow
        self.minIdle = minIdle
        self.max = Swift.max(1, max)
        self.idleTTL = idleTTL
        self.maxUses = maxUses
        self.maxAge = maxAge
        self.onExhausted = onExhausted
        self.startBackoff = startBackoff
        self.startBackoffMax = startBackoffMax
        self.startingMax = Swift.max(1, startingMax)
    }

    /// The most sandboxes that a start may lead to.
    var ceiling: Int {
        switch onExhausted {
        case .queue, .reject: max
        case .cold: 2 * max
        }
    }

    /// Seconds to wait after this many rounds of failed starts.
    func backoff(afterRounds rounds: Int) -> Double {
        min(startBackoff * Double(1 << min(Swift.max(0, rounds - 1), 30)), startBackoffMax)
    }
}
