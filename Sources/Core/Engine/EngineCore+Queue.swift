extension EngineCore {
    /// Takes a place among a tenant's unfinished jobs, for a job that is not stored yet.
    func takePlace(of tenant: TenantID) throws {
        let count = jobCounts[tenant, default: 0]
        guard count < configuration.jobs.queueMax else {
            throw EngineError(
                .queueFull, "the tenant has \(configuration.jobs.queueMax) unfinished jobs (jobs.queue_max)",
                retryAfterSeconds: 1)
        }
        jobCounts[tenant] = count + 1
    }

    /// Gives the place of a job back that was not entered; of one that was, its end does.
    func giveBackPlace(of job: ActiveJob) {
        guard job.isReserved else { return }
        job.isReserved = false
        giveBackPlace(of: job.job.tenant)
    }

    /// Gives a place back.
    func giveBackPlace(of tenant: TenantID) {
        let left = jobCounts[tenant, default: 1] - 1
        jobCounts[tenant] = left > 0 ? left : nil
    }
}
