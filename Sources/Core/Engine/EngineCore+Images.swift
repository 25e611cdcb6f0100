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
        try await admitImage(of: plan)
        let image = try await runtime.obtain(image: plan.image, for: tenant, progress: progress)
        images.store(image, runtime: plan.runtime)
        return image
    }

    /// Refuses an image that would send the container engine to a registry that is none of the public's.
    ///
    /// Images that the configuration names are the operator's choice.
    private func admitImage(of plan: JobPlan) async throws {
        guard plan.pool == nil, plan.image != configuration.sandbox.image else { return }
        try await runtimes[plan.runtime]?.admit(image: plan.image)
    }

    /// Refuses such an image when its job is submitted; while the container engine does not answer, the job waits.
    func admitImage(of request: JobRequest, _ plan: JobPlan) async throws {
        guard request.image != nil, images.fresh(runtime: plan.runtime, reference: plan.image) == nil else { return }
        do {
            try await admitImage(of: plan)
        } catch let error as EngineError where error.code != .notAllowed && error.code != .unavailable {
            logger.debug("an image is looked at later", metadata: ["reason": "\(error.wholeMessage)"])
        }
    }

    private func tellPulling(_ id: JobID, _ text: String) {
        guard let job = jobs[id], job.phase == .preparing else { return }
        job.emit(.update(.queued, attempt: job.job.attempt, message: text, error: nil))
    }
}
