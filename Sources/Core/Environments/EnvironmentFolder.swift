import Foundation
import Logging

#if canImport(Glibc)
    import Glibc
#endif

/// The host's folder of all environments.
struct EnvironmentFolder: Sendable {
    let path: String

    /// Makes the folder; sandboxes may pass through it and not list it.
    init(making path: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try FileManager.default.setAttributes([.posixPermissions: 0o711], ofItemAtPath: path)
        } catch {
            throw EngineError(.configuration, "cannot make the folder \(path): \(error)", cause: error)
        }
    }

    /// The environments that are whole, and the names of everything else that lies there.
    ///
    /// - Parameter volumes: The volume of each runtime whose environments lie in none of this machine's folders; of
    ///   them only the manifests are here.
    func read(
        engineID: String, volumes: [String: String] = [:]
    ) throws -> (manifests: [EnvironmentManifest], leftovers: [String]) {
        var manifests: [EnvironmentManifest] = []
        var names = Set(try FileManager.default.contentsOfDirectory(atPath: path))
        for name in names where name.hasSuffix(".json") {
            let id = String(name.dropLast(".json".count))
            // One that cannot be read describes nothing that may be used.
            guard let manifest = try? EnvironmentManifest.read(id, below: path),
                manifest.id == id, manifest.engine == engineID, manifest.volume == volumes[manifest.runtime],
                names.contains(id) == (manifest.volume == nil)
            else { continue }
            manifests.append(manifest)
        }
        for manifest in manifests { names.subtract([manifest.id, manifest.id + ".json"]) }
        return (manifests, names.filter(Self.isOurs).sorted())
    }

    /// Makes the manifest of an environment durable that is in a volume already.
    func record(_ manifest: EnvironmentManifest) async throws {
        let path = path
        try await Task.detached {
            do {
                let folder = try Folder(makingPath: path)
                try manifest.write(below: path)
                try folder.synchroniseFileSystem()
            } catch {
                throw EngineError(.storage, "a finished environment cannot be kept in \(path)", cause: error)
            }
        }.value
    }

    /// Makes everything durable, then gives a finished folder its name: no half environment has one.
    func publish(_ draft: String, as manifest: EnvironmentManifest) async throws {
        let path = path
        try await Task.detached {
            do {
                let folder = try Folder(makingPath: path)
                try folder.synchroniseFileSystem()
                guard rename("\(path)/\(draft)", "\(path)/\(manifest.id)") == 0 else {
                    throw EngineError(.storage, "cannot rename \(draft): \(String(cString: strerror(errno)))")
                }
                try manifest.write(below: path)
                try folder.synchronise()
            } catch {
                throw EngineError(.storage, "a finished environment cannot be kept in \(path)", cause: error)
            }
        }.value
    }

    /// Removes entries as the engine's own user; returns those that it could not.
    func remove(_ names: [String]) -> [String] {
        names.filter { name in
            let entry = "\(path)/\(name)"
            do {
                try FileManager.default.removeItem(atPath: entry)
            } catch {
                Self.unseal(entry)
                // What is still there is what the caller hears of.
                try? FileManager.default.removeItem(atPath: entry)
            }
            var status = stat()
            return lstat(entry, &status) == 0
        }
    }

    /// Makes folders writable that this user owns.
    private static func unseal(_ folder: String) {
        guard let names = FileManager.default.enumerator(atPath: folder) else { return }
        chmod(folder, 0o700)
        for case let name as String in names {
            var status = stat()
            let entry = "\(folder)/\(name)"
            if lstat(entry, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { chmod(entry, 0o700) }
        }
    }

    /// Whether a name is one that environments, their drafts and manifests have.
    private static func isOurs(_ name: String) -> Bool {
        name.utf8.prefix(24).count(where: { (48...57).contains($0) || (97...102).contains($0) }) == 24
    }
}
