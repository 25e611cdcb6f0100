extension ClassPool {
    /// Whether a tenant has a sandbox or a request here, or had one.
    func concerns(_ tenant: TenantID) -> Bool {
        tallies[tenant] != nil || waiting.waiting(tenant) > 0 || sandboxes.values.contains { $0.tenant == tenant }
    }

    /// A snapshot; of one tenant it holds what is that tenant's, and what is nobody's.
    func status(for tenant: TenantID?, now: Double, _ ledger: AllocationLedger) -> PoolStatus {
        var status = PoolStatus(
            name: sandboxClass.pool, runtime: sandboxClass.runtime, image: sandboxClass.image,
            network: sandboxClass.network, cpus: sandboxClass.cpus, memoryBytes: sandboxClass.memoryBytes,
            slots: slots, starting: count(.starting), destroying: count(.destroying),
            waiting: tenant.map { waiting.waiting($0) } ?? waiting.count, max: policy.max, minIdle: policy.minIdle)
        if let tenant {
            // Nobody knows for whom a sandbox starts; no more than its jobs that wait can be for this tenant.
            status.starting = min(status.starting, status.waiting)
            status.destroying = sandboxes.values.count { $0.tenant == tenant && $0.state.phase == .destroying }
        }
        status.tenant = sandboxClass.tenant
        var leases = 0
        for sandbox in sandboxes.values {
            // What has no tenant is for everybody; what another one has is not this one's business.
            guard tenant == nil || sandbox.tenant == nil || sandbox.tenant == tenant else { continue }
            leases += sandbox.state.phase == .destroying ? 0 : sandbox.leases
            count(sandbox, for: tenant, in: &status)
        }
        let tally = tenant.map { tallies[$0] ?? PoolTally() } ?? tally
        status.hits = tally.hits
        leases += tally.leasesOfGone
        status.hits.warm = leases - tally.hits.respecialised - tally.hits.stem - tally.hits.cold
        status.waits = tally.waits
        status.waits.addAtOnce(leases - tally.waits.count)
        status.destroyed = tally.destroyed
        status.lastError = lastError
        status.waitsFor = status.waiting > 0 ? waitsFor(ledger) : nil
        status.backoffSeconds = backoffUntil.flatMap { $0 > now ? $0 - now : nil }
        return status
    }

    private func count(_ sandbox: PooledSandbox, for tenant: TenantID?, in status: inout PoolStatus) {
        let isHidden = tenant != nil && sandbox.state.request.map { $0.tenant != tenant } == true
        switch sandbox.state {
        case .starting, .destroying: break
        case .idle: status.warm += 1
        case .leased:
            status.busy += 1
            status.running += sandbox.busy.nonzeroBitCount
        case .specialising: status.busy += 1
        case .stem: status.stem += 1
        case .pausing(_, _, .some) where !isHidden, .resuming(_, .some) where !isHidden: status.busy += 1
        case .pausing, .paused, .resuming: status.paused += 1
        }
    }
}
