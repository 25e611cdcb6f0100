import Foundation

/// A Python that installs or runs packages, as the builder's program describes it.
package struct Interpreter: Sendable, Codable, Equatable {
    package var executable: String
    package var version: String
    /// Such as `cpython-311-x86_64-linux-gnu`.
    package var abi: String
    /// Such as `glibc 2.36`.
    package var libc: String
    package var pip: Bool
    package var cloudpickle: Bool?
}

/// What the builder's program answers, in `result.json`.
package struct BuildResult: Sendable, Decodable {
    package var ok: Bool
    package var interpreter: Interpreter?
    package var versions: [String: String]?
    package var packages: [EnvironmentPackage]?
    /// What installed them: `pip` or `uv`.
    package var installer: String?
    package var bytes: Int?
    package var log: String?
    /// Why it failed: one of `BuildFailure.Kind`.
    package var kind: String?
    package var culprit: String?
    package var detail: String?
    package var lines: [String]?
    /// What a survey found.
    package var names: [String]?

    /// The largest answer that is read.
    static let limitBytes = 4 << 20
    /// The name of the file.
    static let fileName = "result.json"

    /// Reads the answer; nil when there is none, as after a crash.
    static func read(from work: String) throws -> BuildResult? {
        guard let file = GuestFile.open("\(work)/\(fileName)") else { return nil }
        // Nothing was written through this handle, so closing it loses nothing.
        defer { try? file.close() }
        guard let data = try file.read(upToCount: limitBytes) else { return nil }
        return try JSONDecoder().decode(BuildResult.self, from: data)
    }
}
