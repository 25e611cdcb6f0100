/// A package that was installed, as exactly as the installer told.
public struct EnvironmentPackage: Sendable, Hashable, Codable {
    /// The name as indexes compare it, such as `typing-extensions`.
    public var name: String
    /// The exact version.
    public var version: String
    /// Hashes of the file that it came from, such as `sha256:...`; empty when the installer told none.
    public var hashes: [String]

    /// Makes a description of an installed package.
    public init(name: String, version: String, hashes: [String] = []) {
        self.name = name
        self.version = version
        self.hashes = hashes
    }

    /// The package as a line of a requirements file, hashes included.
    public var requirement: String {
        "\(name)==\(version)" + hashes.map { " \\\n    --hash=\($0)" }.joined()
    }
}
