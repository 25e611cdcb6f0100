import Foundation

/// An environment as its tenant sees it.
public struct EnvironmentStatus: Sendable, Equatable {
    /// What can be done with it.
    public enum State: String, Sendable, CaseIterable {
        /// It is being installed.
        case building
        /// It is installed.
        case ready
        /// It could not be installed; kept until it can be, or until the engine stops.
        case failed
    }

    /// Its name: the key, with a number when it replaced another one of the same key.
    public var id: String
    /// What its needs are known by.
    public var key: String
    /// What can be done with it.
    public var state: State
    /// What the installer was asked for.
    public var requirements: [String]
    /// The folder of the host whose source tree it holds, if any.
    public var project: String?
    /// What was installed; empty unless it is ready.
    public var packages: [EnvironmentPackage] = []
    /// The runtime that uses it.
    public var runtime: String
    /// The image that it is for; empty where the runtime has none.
    public var image: String
    /// What installed it: `pip` or `uv`; nil unless it is ready.
    public var installer: String?
    /// Its size on disk; 0 unless it is ready.
    public var bytes = 0
    /// When it was installed, or when the build began or failed.
    public var createdAt: Date
    /// When a job used it last; nil unless it is ready.
    public var lastUsedAt: Date?
    /// How long its installation took; nil unless it is ready.
    public var buildSeconds: Double?
    /// Whether a living sandbox or a waiting job uses it now; it is not removed then.
    public var isUsed = false
    /// Whether a newer one of the same key serves new jobs.
    public var isReplaced = false
    /// Why it could not be installed.
    public var error: String?
    /// What the installer wrote, its beginning or its end; empty in lists.
    public var log = ""

    /// Makes the description of an environment.
    package init(
        id: String, key: String, state: State, requirements: [String], runtime: String, image: String, createdAt: Date
    ) {
        self.id = id
        self.key = key
        self.state = state
        self.requirements = requirements
        self.runtime = runtime
        self.image = image
        self.createdAt = createdAt
    }

    /// What was installed in the form of a requirements file that installs the same again.
    public var lock: String { packages.map { $0.requirement + "\n" }.joined() }
}

extension EnvironmentStatus {
    init(_ manifest: EnvironmentManifest, isReplaced: Bool) {
        self.init(
            id: manifest.id, key: manifest.key, state: .ready, requirements: manifest.requirements,
            runtime: manifest.runtime, image: manifest.image, createdAt: manifest.createdAt)
        project = manifest.project
        packages =
            manifest.packages
            ?? manifest.versions.sorted { $0.key < $1.key }.map { EnvironmentPackage(name: $0.key, version: $0.value) }
        installer = manifest.installer ?? "pip"
        bytes = manifest.bytes
        lastUsedAt = manifest.lastUsedAt
        buildSeconds = manifest.buildSeconds
        self.isReplaced = isReplaced
        log = manifest.log
    }
}
