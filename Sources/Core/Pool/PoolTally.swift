/// What a class has done since it was first used: for everybody, or for one tenant.
struct PoolTally: Sendable {
    /// The most tenants whose own counts are kept for one class.
    static let tenantsMax = 4096

    /// How requests came to their sandboxes; those of one tenant leave `warm` to be computed.
    var hits = PoolStatus.Hits()
    /// Waits of the requests that were not served at once.
    var waits = PoolStatus.Waits()
    /// Sandboxes that were destroyed, by reason.
    var destroyed: [String: Int] = [:]
    /// Leases of sandboxes that are gone.
    var leasesOfGone = 0
}

extension ClassPool {
    /// Changes what is counted of everybody, and of one tenant.
    private mutating func count(_ tenant: TenantID?, _ change: (inout PoolTally) -> Void) {
        change(&tally)
        guard let tenant, tallies.count < PoolTally.tenantsMax || tallies[tenant] != nil else { return }
        change(&tallies[tenant, default: PoolTally()])
    }

    /// Counts a lease that was not granted at once.
    mutating func count(waited request: WaitingRequest, now: Double) {
        count(request.tenant) { $0.waits.add(now - request.since) }
    }

    mutating func count(prepared request: WaitingRequest, _ start: Job.Start) {
        count(request.tenant) { tally in
            switch start {
            case .warm: tally.hits.respecialised += 1
            case .stem: tally.hits.stem += 1
            case .cold: tally.hits.cold += 1
            }
        }
    }

    mutating func count(resumed request: WaitingRequest) { count(request.tenant) { $0.hits.resumed += 1 } }

    mutating func count(destroyed sandbox: PooledSandbox, _ reason: PoolDestroyReason) {
        count(sandbox.tenant) { tally in
            tally.destroyed[reason.rawValue, default: 0] += 1
            tally.leasesOfGone += sandbox.leases
        }
    }
}
