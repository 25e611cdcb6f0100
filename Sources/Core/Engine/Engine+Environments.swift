extension Engine {
    /// The environments of a tenant, used last first: ready, being built, and those that could not be.
    public func environments(tenant: TenantID = .default) async -> [EnvironmentStatus] {
        await core.environmentList(of: tenant)
    }

    /// One environment of a tenant with what its installer wrote; throws `.notFound`.
    ///
    /// - Parameter name: Its id, or the key of the one that serves new jobs.
    public func environment(_ name: String, tenant: TenantID = .default) async throws -> EnvironmentStatus {
        try await core.environment(name, of: tenant)
    }

    /// Installs ahead what jobs with the same image, requirements, project and index will need.
    ///
    /// - Parameters:
    ///   - request: A job; its task is not looked at and not run.
    ///   - limit: How long to wait for the installation; it goes on when the limit passes.
    /// - Throws: The faults of the request as `submit` has them; that it cannot be installed stands in the answer.
    public func buildEnvironment(
        for request: JobRequest, tenant: TenantID = .default, waitingUpTo limit: Duration = .zero
    ) async throws -> EnvironmentStatus {
        try await core.buildEnvironment(request, of: tenant, waitingUpTo: limit)
    }

    /// Removes environments of a tenant that no living sandbox and no waiting job uses, nor one that was just asked for.
    ///
    /// - Parameters:
    ///   - ids: Only these; nil for all.
    ///   - unusedFor: Only those that were not used for so long.
    /// - Returns: What was removed.
    @discardableResult
    public func pruneEnvironments(
        tenant: TenantID = .default, ids: [String]? = nil, unusedFor: Duration? = nil
    ) async throws -> [EnvironmentStatus] {
        try await core.pruneEnvironments(of: tenant, ids: ids, unusedFor: unusedFor)
    }
}
