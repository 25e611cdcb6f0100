extension EngineCore {
    /// Takes places among a tenant's unfinished jobs, for jobs that are not stored yet: all of them or none.
    func takePlaces(_ number: Int, of tenant: TenantID) throws {
        let count = jobCounts[tenant, default: 0]
        guard count + number <= configuration.jobs.queueMax else {
            throw EngineError(
                .queueFull,
                number == 1
                    ? "the tenant has \(configuration.jobs.queueMax) unfinished jobs (jobs.queue_max)"
                    : "the tenant has \(count) unfinished jobs of \(configuration.jobs.queueMax) (jobs.queue_max), too many "
                        + "for \(number) more",
                retryAfterSeconds: 1)
        }
        jobCounts[tenant] = count + number
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
