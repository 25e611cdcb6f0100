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
    /// Whether cloudpickle has to come along, since the image lacks it.
    package var needsCloudpickle: Bool

    package init(
        tenant: TenantID, runtime: String, image: ResolvedImage, requirements: [String], needsCloudpickle: Bool
    ) {
        self.tenant = tenant
        self.runtime = runtime
        self.image = image
        self.requirements = requirements
        self.needsCloudpickle = needsCloudpickle
    }

    /// Whether nothing is needed.
    package var isNone: Bool { requirements.isEmpty && !needsCloudpickle }

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
    /// - Returns: Its key.
    /// - Throws: `.dependency` with the installer's last lines.
    func provide(_ need: EnvironmentNeed, groupID: Int) async throws -> String

    /// The folder of an environment as the sandboxes of a runtime see it.
    func path(of key: String, runtime: String) -> String
}
