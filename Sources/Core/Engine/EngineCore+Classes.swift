extension EngineCore {
    /// How many jobs of a batch are looked at or entered before others have their turn on the loop.
    static let batchStride = 50

    /// Refuses a job that would make one more kind of sandboxes than its tenant may use.
    ///
    /// Where the image is not known yet, the pool refuses it later.
    func checkClass(of plan: JobPlan, _ request: JobRequest, _ tenant: TenantID) throws {
        guard request.namesItsSandbox, let sandboxClass = newClass(of: plan, tenant) else { return }
        if let reason = pool.refusal(ofClass: sandboxClass, by: tenant) {
            throw Self.tooManyClasses(reason, "/resources")
        }
    }

    /// The same for the jobs of a batch together, of which none is in the pool yet.
    func checkClasses(of requests: [JobRequest], _ tenant: TenantID) throws {
        var new: Set<SandboxClass> = []
        for (index, request) in requests.enumerated() where request.namesItsSandbox {
            let plan = JobPlan(
                request, runtime: request.task.kind == .handler ? "direct" : request.handler ?? defaultRuntime,
                configuration: configuration)
            guard let sandboxClass = newClass(of: plan, tenant), new.insert(sandboxClass).inserted else { continue }
            if let reason = pool.refusal(ofClass: sandboxClass, by: tenant, beside: new.count - 1) {
                throw Self.tooManyClasses(reason, "/jobs/\(index)/resources")
            }
        }
    }

    /// The class of a plan where nobody declared it and it can be told already.
    private func newClass(of plan: JobPlan, _ tenant: TenantID) -> SandboxClass? {
        guard plan.pool == nil, let image = images.fresh(runtime: plan.runtime, reference: plan.image) else {
            return nil
        }
        return plan.sandboxClass(image: image, ociRuntime: configuration.runtime.ociRuntime, of: tenant)
    }

    private static func tooManyClasses(_ reason: String, _ pointer: String) -> EngineError {
        EngineError(.limitExceeded, reason, faults: [.init(pointer: pointer, code: "limit-exceeded", detail: reason)])
    }
}

extension JobRequest {
    /// Whether it asks for anything by which its sandbox could differ from those of other jobs.
    fileprivate var namesItsSandbox: Bool {
        image != nil || network != nil || !mounts.isEmpty || resources != ResourceRequest()
    }
}
