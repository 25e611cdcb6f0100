/// What a job needs installed.
package struct EnvironmentNeed: Sendable, Hashable {
    /// The tenant that owns the environment.
    package var tenant: TenantID
    /// The runtime whose sandboxes use it.
    package var runtime: String
    /// The image whose interpreter it is for.
    package var image: ResolvedImage
    /// Requirements as pip reads them.
    package var requirements: [String]
    /// Whether cloudpickle has to come along where the image lacks it; the builder looks.
    package var needsCloudpickle: Bool
    /// The package index of this need alone; nil for the configured one.
    package var indexURL: String?
    /// The source tree to install, if any.
    package var project: ProjectTree?

    package init(
        tenant: TenantID, runtime: String, image: ResolvedImage, requirements: [String], needsCloudpickle: Bool,
        indexURL: String? = nil, project: ProjectTree? = nil
    ) {
        self.tenant = tenant
        self.runtime = runtime
        self.image = image
        self.requirements = requirements
        self.needsCloudpickle = needsCloudpickle
        self.indexURL = indexURL
        self.project = project
    }

    /// Whether nothing is needed.
    package var isNone: Bool { requirements.isEmpty && !needsCloudpickle && project == nil }

    /// The same with cloudpickle.
    package var withCloudpickle: EnvironmentNeed {
        var need = self
        need.needsCloudpickle = true
        return need
    }
}

/// Installs environments and says where they are.
package protocol EnvironmentProvider: Sendable {
    /// The key of an installed environment; nil when it must be provided first. Answers at once.
    func installed(_ need: EnvironmentNeed) -> String?

    /// Installs an environment unless it is there; concurrent calls for the same one build once.
    ///
    /// - Parameters:
    ///   - need: What to install.
    ///   - groupID: The tenant's group, which alone may read it.
    ///   - listener: Hears what the installer says from the beginning, unless the environment is there.
    /// - Returns: Its key.
    /// - Throws: `.dependency` with the installer's last lines.
    func provide(_ need: EnvironmentNeed, groupID: Int, listener: BuildLog.Listener?) async throws -> String

    /// The folder of an environment as the sandboxes of a runtime see it.
    func path(of key: String, runtime: String) -> String
}

extension EnvironmentProvider {
    /// Installs an environment unless it is there, without listening to the installer.
    package func provide(_ need: EnvironmentNeed, groupID: Int) async throws -> String {
        try await provide(need, groupID: groupID, listener: nil)
    }
}
