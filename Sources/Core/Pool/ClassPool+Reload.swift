// What changes when the configuration is read again.
extension ClassPool {
    /// Takes another policy: what is too many or too old by it goes as soon as it is free.
    mutating func reload(_ policy: PoolRules, _ shared: inout PoolShared) {
        guard policy != self.policy else { return }
        self.policy = policy
        tick(&shared)
        requestWake(&shared)
    }

    /// Keeps no stem cells of this class any more, and gives up its sandboxes.
    ///
    /// The free ones go at once, the others after their last lease. What waits is served by new ones.
    mutating func undeclare(_ shared: inout PoolShared) {
        guard isDeclared else { return }
        isDeclared = false
        lastRequestAt = -.infinity
        for sandbox in inOrder {
            switch sandbox.state {
            case .starting:
                if waiting.count == 0 { destroy(sandbox.id, .reload, &shared) }
            case .stem, .idle, .paused, .pausing(_, _, nil), .resuming(_, nil):
                destroy(sandbox.id, .reload, &shared)
            case .specialising, .leased, .pausing, .resuming: end(sandbox.id, .reload)
            case .destroying: continue
            }
        }
        settle(&shared)
    }
}
