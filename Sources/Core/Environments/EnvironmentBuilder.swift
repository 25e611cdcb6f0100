/// Installs requirements for the sandboxes of one runtime.
package protocol EnvironmentBuilder: Sendable {
    /// The runtime: `docker` or `process`.
    var runtime: String { get }

    /// Learns what it needs to answer `identity(of:)`; called before anything else.
    func prepare() async

    /// What installed files depend on. Answers at once.
    func identity(of image: ResolvedImage) -> String

    /// The folder of an environment as sandboxes see it.
    func path(of id: String) -> String

    /// Installs into a new folder and seals it.
    ///
    /// - Throws: `.dependency` with the installer's last lines; other codes when no builder could run.
    func build(_ order: BuildOrder) async throws -> BuildResult

    /// Removes folders of the environments' root that the engine's own user cannot remove.
    func remove(_ names: [String]) async throws

    /// Removes what earlier builds left running.
    func reconcile() async throws
}

/// What to install, and where.
package struct BuildOrder: Sendable {
    package var tenant: TenantID
    package var image: ResolvedImage
    package var requirements: [String]
    /// What the engine adds by itself where the image lacks it; it has no hashes.
    package var additions: [String]
    /// Whether every requirement has a hash, and everything that is installed is checked against one.
    package var isHashed: Bool
    /// The package index of this build alone; nil for the configured one.
    package var indexURL: String?
    /// The source tree to install, if any.
    package var project: ProjectTree?
    /// The group that may read the result.
    package var groupID: Int
    /// The host's folder to fill; exists and is empty.
    package var target: String
    /// The host's folder of the specification and the result; exists and is empty.
    package var work: String

    init(_ key: EnvironmentKey, _ need: EnvironmentNeed, groupID: Int, target: String, work: String) {
        tenant = need.tenant
        image = need.image
        requirements = key.own
        additions = key.additions
        isHashed = key.isHashed
        indexURL = need.indexURL
        project = need.project
        self.groupID = groupID
        self.target = target
        self.work = work
    }
}
