extension ClassPool {
    func status(for tenant: TenantID?, now: Double, _ ledger: AllocationLedger) -> PoolStatus {
        var warm = 0
        var busy = 0
        for sandbox in sandboxes.values where tenant == nil || sandbox.tenant == tenant {
            switch sandbox.state {
            case .idle: warm += 1
            case .leased, .specialising: busy += 1
            case .starting, .stem, .destroying: break
            }
        }
        return PoolStatus(
            name: sandboxClass.pool, runtime: sandboxClass.runtime, image: sandboxClass.image,
            network: sandboxClass.network,
            cpus: sandboxClass.cpus, memoryBytes: sandboxClass.memoryBytes, warm: warm, busy: busy,
            stem: count(.stem), starting: count(.starting), destroying: count(.destroying),
            waiting: tenant.map { waiting.waiting($0) } ?? waiting.count, max: policy.max, minIdle: policy.minIdle,
            hits: hits, destroyed: destroyed, lastError: lastError,
            backoffSeconds: backoffUntil.flatMap { $0 > now ? $0 - now : nil }, waitsFor: waitsFor(ledger))
    }
}
