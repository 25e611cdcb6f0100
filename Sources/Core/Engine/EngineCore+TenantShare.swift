extension EngineCore {
    /// Whether the limits of a job's tenant let it ask for a sandbox now; otherwise it waits until they do.
    func admit(_ job: ActiveJob, _ place: Place) -> Bool {
        // The whole sandbox, also where jobs may share it: nobody knows yet whether this one will.
        let demand = place.sandboxClass.demand
        if tenantLedger.admit(job.job.id, of: job.job.tenant, demand, priority: job.priority) { return true }
        job.phase = .waiting
        job.heldPlace = place
        job.emit(
            .update(.queued, attempt: job.job.attempt, message: "waiting for \(Self.shareText)", error: nil))
        return false
    }

    /// Takes a job off its tenant's books; others of the tenant may go on.
    func leaveTenant(_ job: ActiveJob) {
        job.heldPlace = nil
        for id in tenantLedger.leave(job.job.id, of: job.job.tenant) {
            guard let next = jobs[id], let place = next.heldPlace, next.phase == .waiting else {
                // A job that is gone was taken off before; that it is here is a fault of ours.
                logger.error("a job that waited for its tenant's share is gone", metadata: ["job": "\(id)"])
                continue
            }
            next.heldPlace = nil
            requestSandbox(next, place.sandboxClass, place.specialisation)
        }
    }

    /// What a job waits for that its tenant's limits keep back.
    static let shareText = "the tenant's other jobs, which take all that its limits allow"

    /// What a tenant may use, and what it uses now.
    package func usage(of tenant: TenantID) -> TenantUsage {
        var usage = TenantUsage(
            tenant: tenant, limits: configuration.tenants.limits(of: tenant),
            unfinishedMax: configuration.jobs.queueMax)
        for sandbox in sandboxes.values where sandbox.specialisation?.tenant == tenant && !sandbox.isClosing {
            let kind = sandbox.sandboxClass
            if !sandbox.isBusy {
                usage.idleSandboxes += 1
                usage.idleMemoryBytes += kind.memoryBytes
                continue
            }
            usage.cpus += kind.cpus
            usage.memoryBytes += kind.memoryBytes
            usage.gpus += kind.gpus?.granted.count ?? 0
        }
        for job in jobs.values where job.job.tenant == tenant {
            if job.isUnderWay { usage.running += 1 } else { usage.waiting += 1 }
        }
        return usage
    }
}

extension Engine {
    /// What a tenant may use, and what it uses now.
    public func usage(of tenant: TenantID = .default) async -> TenantUsage { await core.usage(of: tenant) }
}
