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
///
/// The Python that runs it may be a tenant's own, and what it answers ends in errors, manifests and lists. So texts are
/// cut to 500 Unicode scalars, lines to 20, and packages to 2,000 with 100 hashes each.
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

    /// The most Unicode scalars of a text, lines, packages, and hashes of a package.
    private static let (textMax, linesMax, packagesMax, hashesMax) = (500, 20, 2000, 100)
    /// The largest size that an environment can say it has: 16 TiB.
    private static let bytesMax = 1 << 44

    private enum CodingKeys: String, CodingKey {
        case ok, interpreter, versions, packages, installer, bytes, log, kind, culprit, detail, lines, names
    }

    package init(from decoder: any Decoder) throws {
        let answer = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ key: CodingKeys) throws -> String? {
            try answer.decodeIfPresent(String.self, forKey: key).map(Self.cut)
        }
        ok = try answer.decode(Bool.self, forKey: .ok)
        interpreter = try answer.decodeIfPresent(Interpreter.self, forKey: .interpreter).map(Self.cut)
        versions = try answer.decodeIfPresent([String: String].self, forKey: .versions).map(Self.cut)
        packages = try answer.decodeIfPresent([EnvironmentPackage].self, forKey: .packages).map(Self.cut)
        installer = try text(.installer)
        bytes = try answer.decodeIfPresent(Int.self, forKey: .bytes).map { min(max(0, $0), Self.bytesMax) }
        log = try answer.decodeIfPresent(String.self, forKey: .log)
        kind = try text(.kind)
        culprit = try text(.culprit)
        detail = try text(.detail)
        lines = try answer.decodeIfPresent([String].self, forKey: .lines).map(Self.cut)
        names = try answer.decodeIfPresent([String].self, forKey: .names)
    }

    /// The beginning of a text, short enough for an error.
    static func cut(_ text: String) -> String {
        // A character may have any number of scalars.
        guard text.utf8.count > textMax else { return text }
        return String(text.unicodeScalars.prefix(textMax))
    }

    /// The first lines of an output, each short enough for an error.
    static func cut(_ lines: [String]) -> [String] { lines.prefix(linesMax).map(cut) }

    private static func cut(_ interpreter: Interpreter) -> Interpreter {
        Interpreter(
            executable: cut(interpreter.executable), version: cut(interpreter.version), abi: cut(interpreter.abi),
            libc: cut(interpreter.libc), pip: interpreter.pip, cloudpickle: interpreter.cloudpickle)
    }

    private static func cut(_ versions: [String: String]) -> [String: String] {
        let kept = versions.sorted { $0.key < $1.key }.prefix(packagesMax)
        return Dictionary(kept.map { (cut($0.key), cut($0.value)) }, uniquingKeysWith: { first, _ in first })
    }

    private static func cut(_ packages: [EnvironmentPackage]) -> [EnvironmentPackage] {
        packages.prefix(packagesMax).map { package in
            EnvironmentPackage(
                name: cut(package.name), version: cut(package.version),
                hashes: package.hashes.prefix(hashesMax).map(cut))
        }
    }

    /// Reads the answer; nil when there is none, as after a crash.
    static func read(from work: String) throws -> BuildResult? {
        guard let file = GuestFile.open("\(work)/\(fileName)") else { return nil }
        // Nothing was written through this handle, so closing it loses nothing.
        defer { try? file.close() }
        guard let data = try file.read(upToCount: limitBytes) else { return nil }
        return try JSONDecoder().decode(BuildResult.self, from: data)
    }
}
