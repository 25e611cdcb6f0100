import Foundation
import NIOCore

extension EngineCore {
    /// The environments that something needs now: a living sandbox, one that is being prepared, or a waiting job.
    func environmentsInUse() -> Set<String> {
        Set(
            sandboxes.values.flatMap { [$0.specialisation?.environment, $0.preparing?.environment] }.compactMap(\.self)
                + jobs.values.compactMap(\.environment))
    }

    /// Keeps environments within their configured size; never removes one that is in use.
    func maintainEnvironments() async throws {
        guard let environments else { return }
        try await environments.reconcile()
        await removeExcess(environments)
    }

    /// Removes what was used longest ago while all together are too large.
    private func removeExcess(_ environments: EnvironmentStore) async {
        // Nothing happens on this loop between looking at what is used and taking the rest out of use.
        let rule = EnvironmentStore.Retirement(maxTotalBytes: configuration.environments.maxTotalBytes)
        let victims = environments.retire(rule, keeping: environmentsInUse())
        await environments.discard(victims.map(\.id))
    }

    /// Installs what a job needs; it hears what the installer says.
    func provideEnvironment(_ need: EnvironmentNeed, for job: ActiveJob) async throws -> String {
        guard let environments else { throw EngineError(.dependency, "this runtime installs no requirements") }
        let group = try await groupID(of: job.job.tenant)
        job.emit(
            .update(.queued, attempt: job.job.attempt, message: "installing \(need.summary)", error: nil))
        let id = job.job.id
        let loop = executor.loop
        let key = try await environments.provide(need, groupID: group) { text in
            loop.execute { self.assumeIsolated { $0.builderSaid(text, to: id) } }
        }
        if environments.isTooLarge { spawn { await $0.removeExcess(environments) } }
        return key
    }

    private func builderSaid(_ text: String, to id: JobID) {
        guard let job = jobs[id], job.phase == .preparing else { return }
        job.emit(.log(.build, text))
    }

    /// The environments of a tenant.
    package func environmentList(of tenant: TenantID) -> [EnvironmentStatus] {
        guard let environments else { return [] }
        let used = environmentsInUse()
        return environments.status(of: tenant).map { status in
            var status = status
            status.isUsed = used.contains(status.id)
            return status
        }
    }

    /// One environment of a tenant, by its id or key.
    package func environment(_ name: String, of tenant: TenantID) throws -> EnvironmentStatus {
        let all = environmentList(of: tenant)
        // An id comes before a key, and of a key's environments the one that serves.
        guard let found = all.first(where: { $0.id == name }) ?? all.first(where: { $0.key == name && !$0.isReplaced })
        else { throw EngineError(.notFound, "there is no such environment") }
        return found
    }

    /// Installs an environment ahead of its jobs, and waits for it up to a limit.
    package func buildEnvironment(
        _ request: JobRequest, of tenant: TenantID, waitingUpTo limit: Duration
    ) async throws -> EnvironmentStatus {
        try validator.check(request)
        guard let environments, !isDraining else { throw EngineError(.draining, "the engine is shutting down") }
        let plan = JobPlan(request, runtime: request.handler ?? defaultRuntime, configuration: configuration)
        let image = try await imageToBuildFor(plan, of: tenant)
        let need = try await need(of: plan, tenant: tenant, isCallable: true, image)
        guard !need.isNone else {
            throw EngineError(
                .invalidRequest, "there is nothing to install: name requirements or a project",
                faults: [.init(pointer: "/requirements", code: "missing", detail: "There is nothing to install")])
        }
        guard let key = environments.keyText(of: need) else {
            throw EngineError(.dependency, "the runtime \(plan.runtime) installs no requirements")
        }
        if environments.installed(need) == nil {
            let group = try await groupID(of: tenant)
            environments.begin(need, groupID: group)
            if limit > .zero { try await awaitEnvironment(need, group, environments, upTo: limit) }
        }
        return try environment(key, of: tenant)
    }

    /// Finds the image that an environment is for; that it cannot be had is a fault of the request, in the words that a
    /// job's error would have.
    private func imageToBuildFor(_ plan: JobPlan, of tenant: TenantID) async throws -> ResolvedImage {
        let faults: Set<EngineError.Code> = [.imageNotFound, .startFailed, .containerEngineError]
        do {
            return try await resolveImage(of: plan, for: tenant)
        } catch let error as EngineError where faults.contains(error.code) {
            logger.warning(
                "the image of an environment is not available",
                metadata: ["image": "\(plan.image)", "reason": "\(error.wholeMessage)"])
            let code = EngineError.Code.imageNotFound
            let text = failureWords.text(error, for: tenant)
            throw EngineError(code, text, faults: [.init(pointer: "/image", code: code.rawValue, detail: text)])
        }
    }

    private func awaitEnvironment(
        _ need: EnvironmentNeed, _ group: Int, _ environments: EnvironmentStore, upTo limit: Duration
    ) async throws {
        let done = Signal<Void>()
        let ending = NIOLoopBound(done, eventLoop: loop)
        spawn { _ in
            // How it ends stands in the list of environments.
            _ = try? await environments.provide(need, groupID: group)
            ending.value.succeed(())
        }
        _ = try await done.wait(upTo: limit, on: loop)
    }

    /// Removes environments of a tenant that nothing uses.
    package func pruneEnvironments(
        of tenant: TenantID, ids: [String]?, unusedFor: Duration?
    ) async throws -> [EnvironmentStatus] {
        guard let environments else { return [] }
        var rule = EnvironmentStore.Retirement()
        rule.tenant = tenant
        rule.ids = ids.map(Set.init)
        rule.olderThan = unusedFor ?? .zero
        let victims = environments.retire(rule, keeping: environmentsInUse())
        await environments.discard(victims.map(\.id))
        return victims.map { EnvironmentStatus($0, isReplaced: false) }
    }
}

extension EnvironmentNeed {
    /// What is to be installed, in a few words.
    var summary: String {
        var names = requirements.map { $0.prefix { $0 != " " && $0 != ";" } }.map(String.init)
        if let project { names.append((project.path as NSString).lastPathComponent) }
        if needsCloudpickle { names.append("cloudpickle") }
        return names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
    }
}
