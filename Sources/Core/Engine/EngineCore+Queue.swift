extension EngineCore {
    /// Takes places among a tenant's unfinished jobs, for jobs that are not stored yet: all of them or none.
    ///
    /// What is larger than all that a tenant may hold gets in when the tenant holds nothing else.
    func takePlaces(for requests: [JobRequest], of tenant: TenantID) throws {
        let (number, limits) = (requests.count, configuration.jobs)
        let count = jobCounts[tenant, default: 0]
        guard count + number <= limits.queueMax else {
            throw EngineError(
                .queueFull,
                number == 1
                    ? "the tenant has \(limits.queueMax) unfinished jobs (jobs.queue_max)"
                    : "the tenant has \(count) unfinished jobs of \(limits.queueMax) (jobs.queue_max), too many for "
                        + "\(number) more",
                retryAfterSeconds: 1)
        }
        let bytes = requests.reduce(0) { $0 + $1.heldBytes }
        let held = jobBytes[tenant, default: 0]
        guard bytes == 0 || held == 0 || held + bytes <= limits.queueSizeMaxBytes else {
            throw EngineError(
                .queueFull,
                "the tenant's unfinished jobs hold \(held) bytes of variables, requirements and labels, too many for "
                    + "\(bytes) more (jobs.queue_size_max)",
                retryAfterSeconds: 1)
        }
        jobCounts[tenant] = count + number
        if bytes > 0 { jobBytes[tenant] = held + bytes }
    }

    /// Gives the place of a job back that was not entered; of one that was, its end does.
    func giveBackPlace(of job: ActiveJob) {
        guard job.isReserved else { return }
        job.isReserved = false
        giveBackPlaces(1, bytes: job.heldBytes, of: job.job.tenant)
    }

    /// Gives places back, with what their jobs hold.
    func giveBackPlaces(_ number: Int, bytes: Int, of tenant: TenantID) {
        let left = jobCounts[tenant, default: number] - number
        jobCounts[tenant] = left > 0 ? left : nil
        guard bytes > 0 else { return }
        let held = jobBytes[tenant, default: bytes] - bytes
        jobBytes[tenant] = held > 0 ? held : nil
    }

    /// Counts a job that came without a place.
    func takePlace(of job: ActiveJob) {
        jobCounts[job.job.tenant, default: 0] += 1
        if job.heldBytes > 0 { jobBytes[job.job.tenant, default: 0] += job.heldBytes }
    }
}

extension JobRequest {
    /// About the bytes that its job takes in memory until its end, beyond what every job takes; its input not counted.
    var heldBytes: Int {
        HeldBytes.of(env) + HeldBytes.of(labels) + HeldBytes.of(requirements) + HeldBytes.of(preload)
            + HeldBytes.of(secrets) + HeldBytes.of(mounts)
    }
}

extension JobPlan {
    /// The same for a job with these labels that was stored.
    func heldBytes(labels: [String: String]) -> Int {
        HeldBytes.of(env) + HeldBytes.of(labels) + HeldBytes.of(requirements) + HeldBytes.of(preload)
            + HeldBytes.of(secrets) + HeldBytes.of(mounts)
    }
}

/// What texts take in memory.
private enum HeldBytes {
    /// What each takes beside its bytes.
    private static let each = 64

    static func of(_ texts: [String]) -> Int { texts.reduce(0) { $0 + $1.utf8.count + each } }

    static func of(_ texts: [String: String]) -> Int {
        texts.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 2 * each }
    }

    static func of(_ mounts: [JobRequest.Mount]) -> Int {
        mounts.reduce(0) { $0 + $1.source.utf8.count + $1.target.utf8.count + 2 * each }
    }
}
