extension EngineCore {
    /// Cancels a job that has not started; one that has is left alone.
    ///
    /// A job that waits for its next attempt is queued, too: nothing of it runs.
    ///
    /// - Returns: The job, and whether it had been cancelled before.
    /// - Throws: `.alreadyStarted` when it is starting or running, `.alreadyTerminal` when it has completed or failed.
    package func cancelIfQueued(
        _ id: JobID, tenant: TenantID
    ) async throws -> (job: Job, alreadyCancelled: Bool) {
        try await awaitRecovery()
        if let job = jobs[id], job.job.tenant == tenant, job.isInserted {
            switch job.phase {
            case .recovering, .claiming, .running:
                throw EngineError(
                    .alreadyStarted, "the job has started already: it is \(job.job.state.rawValue)")
            case .preparing, .waiting, .backingOff, .finishing, .ended: break
            }
        }
        // Nothing is awaited between the look above and the decision in there.
        return try await cancel(id, tenant: tenant)
    }
}
