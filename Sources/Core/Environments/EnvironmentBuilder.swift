/// Installs requirements for the sandboxes of one runtime.
package protocol EnvironmentBuilder: Sendable {
    /// The runtime: `docker` or `process`.
    var runtime: String { get }

    /// The volume that holds the environments, where they lie in no folder of this machine; nil where they do.
    var volume: String? { get }

    /// Whether what it installs is given to a tenant's group, which alone may read it.
    var sealsForGroups: Bool { get }

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

    /// Seals anew environments of the root that an earlier version left readable to their owner, and which the engine's
    /// own user cannot change. Those that are gone need nothing.
    func close(_ names: [String]) async throws

    /// Makes the volume where there is none; returns what stays the same for as long as it exists.
    func volumeIdentity() async throws -> String

    /// Says which of the named environments the volume really holds.
    ///
    /// - Parameter removesOthers: Whether everything else in it is removed; no build must run then.
    func survey(_ names: Set<String>, removesOthers: Bool) async throws -> Set<String>

    /// Removes what earlier builds left running.
    func reconcile() async throws
}

extension EnvironmentBuilder {
    /// Environments lie in the store's folder.
    package var volume: String? { nil }

    /// They are root's.
    package var sealsForGroups: Bool { true }

    /// The engine's own user did it.
    package func close(_ names: [String]) async throws {}

    /// There is none.
    package func volumeIdentity() async throws -> String { "" }

    /// The store's folder tells.
    package func survey(_ names: Set<String>, removesOthers: Bool) async throws -> Set<String> { names }
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
    /// What the environment will be called.
    package var id: String
    /// The host's folder to fill, which exists and is empty; a builder with a volume needs none.
    package var target: String
    /// The host's folder of the specification and the result; exists and is empty.
    package var work: String

    init(_ key: EnvironmentKey, _ need: EnvironmentNeed, id: String, groupID: Int, target: String, work: String) {
        self.id = id
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
