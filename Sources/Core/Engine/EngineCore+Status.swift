import NIOCore

extension EngineCore {
    /// The pools of sandboxes, with the counts of one tenant, or for the operator those of all.
    ///
    /// A tenant sees the classes that the configuration names, the default size, and those in which it has or had
    /// something: what others ask for is not its business.
    package func pools(for tenant: TenantID? = nil) -> [PoolStatus] {
        pool.status(for: tenant, now: poolNow) { $0.pool != nil || isDefaultSize($0) }.map { status in
            var status = withPreloadErrors(status)
            guard let reason = status.lastError, tenant == nil || tenant == .default else { return status }
            let whole = failureWords.restored(reason)
            status.lastError = tenant == nil ? whole : failureWords.cut(whole)
            return status
        }
    }

    /// Whether a class is that of jobs that ask for nothing.
    private func isDefaultSize(_ sandboxClass: SandboxClass) -> Bool {
        let size = configuration.sandbox
        let isImage = sandboxClass.runtime == SandboxClass.processRuntime || sandboxClass.image == size.image
        return isImage && sandboxClass.network == size.network.rawValue && sandboxClass.cpus == size.cpus
            && sandboxClass.memoryBytes == size.memoryBytes && sandboxClass.pids == size.pids
            && sandboxClass.tmpBytes == size.tmpBytes && sandboxClass.shmBytes == size.shmBytes
            && sandboxClass.openFiles == size.openFiles && sandboxClass.mounts.isEmpty && sandboxClass.gpus == nil
    }

    private func withPreloadErrors(_ status: PoolStatus) -> PoolStatus {
        guard status.name != nil, !preloadFaults.isEmpty else { return status }
        var status = status
        // Told while the sandbox belonged to nobody, so nothing of a tenant is in it.
        let faults = preloadFaults.first { $0.key.pool == status.name && $0.key.image == status.image }?.value ?? []
        status.preloadErrors = faults.map { .init(module: $0.module, message: $0.message) }
        return status
    }

    /// Whether jobs can run now.
    package func readiness() -> Readiness {
        var reasons: [String] = []
        if !isRecovered { reasons.append("the engine is taking up the jobs of its last run") }
        if isDraining { reasons.append("the engine is shutting down") }
        if let storeFault { reasons.append("the job store takes no writes (\(storeFault.code.rawValue))") }
        if waitingResults.fault != nil { reasons.append("results wait for room on the disk") }
        let fault = runtimeFaults[defaultRuntime]
        if fault != nil { reasons.append("the \(defaultRuntime) runtime does not answer") }
        return Readiness(
            ready: reasons.isEmpty, reasons: reasons,
            containerEngine: fault == nil ? defaultRuntime : "\(defaultRuntime) does not answer")
    }

    /// Counts and gauges in the text format of Prometheus.
    package func metricsText() -> String {
        var text = MetricsText()
        text.counter("slipway_jobs_submitted_total", "Jobs accepted since the start.", counters.submitted)
        text.family("slipway_jobs_ended_total", "counter", "Jobs ended since the start, by state.")
        text.sample("slipway_jobs_ended_total", ["state": "completed"], counters.completed)
        text.sample("slipway_jobs_ended_total", ["state": "error"], counters.failed)
        text.sample("slipway_jobs_ended_total", ["state": "cancelled"], counters.cancelled)
        text.counter("slipway_attempts_retried_total", "Attempts followed by another one.", counters.retried)
        text.counter("slipway_attempts_lost_total", "Attempts lost with their sandbox.", counters.lost)
        text.counter("slipway_protocol_violations_total", "Sandboxes that broke the protocol.", counters.violations)
        text.family(
            "slipway_task_cpu_seconds_total", "counter",
            "Processor time of tasks since the start, their orphaned processes included.")
        text.sample("slipway_task_cpu_seconds_total", [:], counters.cpuSeconds)
        text.family("slipway_sandbox_grants_total", "counter", "Sandboxes given to jobs, by how they came about.")
        for start in [Job.Start.warm, .stem, .cold] {
            text.sample("slipway_sandbox_grants_total", ["start": start.rawValue], counters.starts[start] ?? 0)
        }
        text.gauge("slipway_jobs_unfinished", "Jobs that have not ended.", jobs.count)
        text.gauge("slipway_jobs_waiting", "Jobs that wait for a sandbox.", requests.count)
        addWaits(to: &text)
        addPoolMetrics(to: &text)
        allocation(to: &text)
        text.gauge("slipway_ready", "Whether jobs can run: 1 or 0.", readiness().ready ? 1 : 0)
        return text.text
    }
}

extension EngineCore {
    /// What the sandboxes hold of the machine, beside what there is.
    private func allocation(to text: inout MetricsText) {
        let ledger = pool.ledger
        text.gauge("slipway_allocated_millicpus", "Thousandths of cores that sandboxes hold.", ledger.milliCPUs)
        text.gauge("slipway_allocated_memory_bytes", "Memory that sandboxes hold.", ledger.memoryBytes)
        guard let capacity = ledger.capacity else { return }
        text.gauge("slipway_capacity_millicpus", "Thousandths of cores to hand out.", capacity.milliCPUs)
        text.gauge("slipway_capacity_memory_bytes", "Memory to hand out.", capacity.memoryBytes)
    }
}

/// Builds the text format of Prometheus (exposition format 0.0.4).
struct MetricsText {
    private(set) var text = ""

    mutating func counter(_ name: String, _ help: String, _ value: Int) {
        family(name, "counter", help)
        sample(name, [:], value)
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        family(name, "gauge", help)
        sample(name, [:], value)
    }

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: [String: String], _ value: some Numeric) {
        let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
        text += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " \(value)\n"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
