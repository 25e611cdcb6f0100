extension DockerRuntime {
    package func obtain(
        image: String, for tenant: TenantID?, progress: @escaping @Sendable (String) -> Void
    ) async throws -> ResolvedImage {
        guard let puller, !ImageName(image).isBuiltLocally else { return try await resolve(image: image) }
        switch puller.options.policy {
        case .never: return try await resolve(image: image)
        case .always: break
        case .missing:
            do {
                return try await resolve(image: image)
            } catch let error as EngineError where error.code == .imageNotFound {
                // It is pulled below.
            }
        }
        try await puller.pull(image, for: tenant, listener: progress)
        return try await resolve(image: image)
    }
}
