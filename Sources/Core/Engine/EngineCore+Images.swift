import NIOCore

extension EngineCore {
    /// Finds the image of a job, telling its followers how far a pull is; given up when the job ends meanwhile.
    func image(of job: ActiveJob) async throws -> ResolvedImage {
        if let known = images.fresh(runtime: job.plan.runtime, reference: job.plan.image) { return known }
        let (id, tenant, plan, loop) = (job.job.id, job.job.tenant, job.plan, loop)
        let task = Task(executorPreference: executor) {
            try await self.resolveImage(of: plan, for: tenant) { text in
                loop.execute { self.assumeIsolated { $0.tellPulling(id, text) } }
            }
        }
        job.imageTask = task
        defer { job.imageTask = nil }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Finds the image of a plan: from memory, from its runtime, or from where its runtime gets images.
    func resolveImage(
        of plan: JobPlan, for tenant: TenantID?, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> ResolvedImage {
        if let known = images.fresh(runtime: plan.runtime, reference: plan.image) { return known }
        guard let runtime = runtimes[plan.runtime] else {
            throw EngineError(.notSupported, "the runtime '\(plan.runtime)' is not available here")
        }
        let image = try await runtime.obtain(image: plan.image, for: tenant, progress: progress)
        images.store(image, runtime: plan.runtime)
        return image
    }

    private func tellPulling(_ id: JobID, _ text: String) {
        guard let job = jobs[id], job.phase == .preparing else { return }
        job.emit(.update(.queued, attempt: job.job.attempt, message: text, error: nil))
    }
}
