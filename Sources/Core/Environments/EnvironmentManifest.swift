import Foundation

/// What is known about an installed environment; rests as JSON in a folder that no sandbox mounts.
package struct EnvironmentManifest: Sendable, Codable, Equatable {
    /// The name of its folder: the key, and a number when it replaced another one of the same key.
    package var id: String
    package var key: String
    package var engine: String
    package var tenant: String
    package var runtime: String
    /// The image that it was installed for, as it was named; empty for `process`.
    package var image: String
    package var imageDigest: String
    /// The group that may read it.
    package var groupID: Int
    package var requirements: [String]
    /// Every installed package and its version.
    package var versions: [String: String]
    /// Whether its requirements may be resolved otherwise later.
    package var isOpen: Bool
    package var createdAt: Date
    package var lastUsedAt: Date
    package var bytes: Int
    package var buildSeconds: Double
    /// The last lines of the installer.
    package var log: String
    /// Every installed package with what is known about where it came from; nil in old manifests.
    package var packages: [EnvironmentPackage]?
    /// What installed it: `pip` or `uv`; nil in old manifests.
    package var installer: String?
    /// The folder of the source tree that it holds, if any.
    package var project: String?
    /// The volume of a container engine elsewhere that holds it; nil where it lies on this machine.
    package var volume: String?

    /// Describes what was built for a need.
    init(
        id: String, key: EnvironmentKey, need: EnvironmentNeed, engine: String, groupID: Int, result: BuildResult,
        buildSeconds: Double, volume: String? = nil
    ) {
        self.id = id
        self.key = key.text
        self.engine = engine
        tenant = need.tenant.description
        runtime = need.runtime
        image = need.image.reference
        imageDigest = need.image.digest
        self.groupID = groupID
        requirements = key.requirements
        versions = result.versions ?? [:]
        isOpen = key.isOpen
        createdAt = Date()
        lastUsedAt = createdAt
        bytes = result.bytes ?? 0
        self.buildSeconds = buildSeconds
        log = String((result.log ?? "").unicodeScalars.suffix(16_384))
        packages = result.packages
        installer = result.installer
        project = need.project?.path
        self.volume = volume
    }

    /// What was done, in one line.
    package var summary: String {
        let names = versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let text = names.prefix(8).joined(separator: ", ") + (names.count > 8 ? " and \(names.count - 8) more" : "")
        let seconds = (buildSeconds * 10).rounded() / 10
        let size = bytes < 1 << 20 ? "\(bytes >> 10) KiB" : "\(Double((bytes * 10) >> 20) / 10) MiB"
        return "Installed \(text.isEmpty ? "nothing" : text) in \(seconds) s (\(size))"
    }

    /// 1 for the first of its key, one more for each that replaced it.
    var generation: Int { id.split(separator: "-").dropFirst().first.flatMap { Int($0) } ?? 1 }

    func write(below folder: String) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let path = Self.path(of: id, below: folder)
        try encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    static func read(_ id: String, below folder: String) throws -> EnvironmentManifest {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        let data = try Data(contentsOf: URL(fileURLWithPath: path(of: id, below: folder)))
        return try decoder.decode(EnvironmentManifest.self, from: data)
    }

    static func path(of id: String, below folder: String) -> String { "\(folder)/\(id).json" }
}
