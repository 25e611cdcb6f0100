import Foundation

/// What is known about an installed environment; rests beside it as JSON.
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
