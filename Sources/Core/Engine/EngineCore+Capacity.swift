import NIOCore

extension EngineCore {
    /// Asks how large the machine is that runs the sandboxes, and lets the pool use it.
    ///
    /// Nothing is started before that is known. A question that fails is asked again by the watch.
    func learnCapacity() async {
        await learnGPUs()
        if let runtime = runtimes[defaultRuntime] {
            do {
                hostSize = try await runtime.hostSize()
            } catch {
                logger.warning(
                    "the size of the machine is not known",
                    metadata: ["runtime": "\(defaultRuntime)", "reason": "\(error)"])
            }
        }
        takeCapacity()
    }

    /// Whether something about the machine is still to be asked.
    var isCapacityUnknown: Bool {
        pool.ledger.capacity == nil || (!configuration.gpus.devices.isEmpty && gpus.isEmpty && nvidia != nil)
    }

    /// Tells the pool what all sandboxes together may take.
    private func takeCapacity() {
        guard let capacity = Capacity(configuration.allocation, host: hostSize, gpus: gpus) else { return }
        guard pool.ledger.capacity != capacity else { return }
        logger.debug(
            "sandboxes may take this much together",
            metadata: [
                "cpus": "\(Capacity.cores(capacity.milliCPUs))", "memory": "\(capacity.memoryBytes)",
                "gpus": "\(capacity.gpus.count)",
            ])
        tellPool(.capacity(capacity))
    }

    /// Refuses what a tenant may not have or what can never run here; where the size of the machine is not known yet, the pool does.
    func checkCapacity(for plan: JobPlan, of tenant: TenantID) throws {
        guard plan.runtime != "direct" else { return }
        let demand = plan.demand(of: tenant)
        let refusals =
            tenantLedger.refusals(of: demand, tenant: tenant) + (pool.ledger.capacity?.refusals(of: demand) ?? [])
        let faults = refusals.map { refusal in
            EngineError.Fault(
                pointer: "/resources/\(refusal.resource)", code: "limit-exceeded",
                detail: refusal.detail.prefix(1).uppercased() + refusal.detail.dropFirst())
        }
        guard let first = faults.first else { return }
        throw EngineError(.limitExceeded, first.detail, faults: faults)
    }

    /// What a job waits for that the machine lacks at present, in words; nil when it waits for nothing of the kind.
    func waitsFor(_ job: ActiveJob) -> String? {
        guard job.phase == .waiting else { return nil }
        if job.heldPlace != nil { return "waiting for \(Self.shareText)" }
        guard let sandboxClass = job.sandboxClass else { return nil }
        return pool.waitsFor(sandboxClass).map { "waiting for \($0)" }
    }
}

extension EngineCore {
    /// A job as readers see it, with what it waits for.
    func snapshot(of job: ActiveJob) -> Job {
        guard let message = waitsFor(job) else { return job.job.shown }
        var copy = job.job.shown
        copy.message = message
        return copy
    }
}

extension JobPlan {
    /// What its sandbox takes of the machine.
    func demand(of tenant: TenantID) -> ResourceDemand {
        ResourceDemand(cpus: cpus, memoryBytes: memoryBytes, gpus: gpuNeed(of: tenant))
    }

    /// The devices that its sandbox needs.
    func gpuNeed(of tenant: TenantID) -> GPUNeed? {
        gpus.map {
            GPUNeed(
                tenant: tenant, count: $0.count ?? $0.devices.count, devices: $0.devices, memoryBytes: $0.memoryBytes)
        }
    }
}
