extension EngineCore {
    /// Jobs that are removed in one commit with their tenant.
    private static let removedAtOnce = 500

    /// How many jobs of a tenant have not ended.
    package func unfinishedJobs(of tenant: TenantID) -> Int { jobCounts[tenant] ?? 0 }

    /// Removes a tenant with its keys, its jobs and all that belongs to them.
    ///
    /// It is suspended first, so that nothing new comes; it stays so when it turns out to be busy.
    ///
    /// - Throws: `.tenantBusy` while it has unfinished jobs, `.notFound`, `.notAllowed` for `default`.
    package func remove(tenant: TenantID) async throws {
        guard tenant != .default else {
            throw EngineError(
                .notAllowed, "the tenant 'default' belongs to this machine's own key and cannot be removed")
        }
        try await awaitRecovery()
        try refuseBusy(tenant)
        guard try await store.perform(.setSuspended(tenant, true)) == .applied(true) else {
            throw EngineError(.notFound, "there is no such tenant")
        }
        while true {
            try refuseBusy(tenant)
            let ended = try await store.ended(of: tenant, limit: Self.removedAtOnce)
            guard !ended.isEmpty else { break }
            try await store.perform(.purge(ended))
        }
        guard try await store.perform(.removeTenant(tenant)) == .applied(true) else {
            throw busy(tenant, 1)
        }
        logger.notice("a tenant was removed", metadata: ["tenant": "\(tenant)"])
    }

    private func refuseBusy(_ tenant: TenantID) throws {
        let count = unfinishedJobs(of: tenant)
        if count > 0 { throw busy(tenant, count) }
    }

    private func busy(_ tenant: TenantID, _ count: Int) -> EngineError {
        EngineError(
            .tenantBusy, "the tenant has \(count) unfinished jobs: cancel them or wait for their end",
            retryAfterSeconds: 5)
    }
}

extension Engine {
    /// Removes a tenant with its keys, its jobs and all that belongs to them.
    package func remove(tenant: TenantID) async throws { try await core.remove(tenant: tenant) }
}
