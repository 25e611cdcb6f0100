extension DockerRuntime {
    package func admit(image: String) async throws {
        let registry = ImageName(image).registry
        guard let puller, let registries = options.registries, puller.options.policy != .never,
            !registries.isNamed(registry)
        else { return }
        if puller.options.policy == .missing {
            do {
                _ = try await resolve(image: image)
                return
            } catch let error as EngineError where error.code == .imageNotFound {
                // It would be pulled.
            }
        }
        try await registries.check(registry)
    }

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
