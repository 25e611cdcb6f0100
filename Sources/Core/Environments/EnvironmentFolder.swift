import Foundation
import Logging

#if canImport(Glibc)
    import Glibc
#endif

/// The host's folder of all environments, and that of their manifests.
struct EnvironmentFolder: Sendable {
    /// The mode of a sealed folder, as the builder's program sets it: root of a sandbox owns it and may not read it.
    private static let sealedMode: mode_t = 0o050
    /// The mode that earlier versions gave it.
    private static let oldSealedMode: mode_t = 0o750

    /// The folder that sandboxes mount.
    let path: String
    /// The folder of manifests, which they do not see: they name tenants, requirements and groups.
    let manifestPath: String

    /// Makes both folders; sandboxes may pass through the first and not list it.
    ///
    /// Manifests that an earlier version left in the first are moved.
    init(making path: String, manifests manifestPath: String) throws {
        self.path = path
        self.manifestPath = manifestPath
        do {
            for (folder, mode) in [(path, 0o711), (manifestPath, 0o700)] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder)
            }
            try moveManifests()
        } catch {
            throw EngineError(
                .configuration, "cannot make the folders \(path) and \(manifestPath): \(error)", cause: error)
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
        let files = try FileManager.default.contentsOfDirectory(atPath: manifestPath).filter(Self.isManifest)
        for name in files {
            let id = String(name.dropLast(Self.suffix.count))
            // One that cannot be read describes nothing that may be used.
            guard let manifest = try? EnvironmentManifest.read(id, below: manifestPath),
                manifest.id == id, manifest.engine == engineID, manifest.volume == volumes[manifest.runtime],
                names.contains(id) == (manifest.volume == nil)
            else { continue }
            manifests.append(manifest)
        }
        names.formUnion(files)
        for manifest in manifests { names.subtract([manifest.id, manifest.id + Self.suffix]) }
        return (manifests, names.filter(Self.isOurs).sorted())
    }

    /// Makes the manifest of an environment durable that is in a volume already.
    func record(_ manifest: EnvironmentManifest) async throws {
        let manifestPath = manifestPath
        try await Task.detached {
            do {
                let folder = try Folder(makingPath: manifestPath)
                try manifest.write(below: manifestPath)
                try folder.synchroniseFileSystem()
            } catch {
                throw EngineError(.storage, "a finished environment cannot be kept in \(manifestPath)", cause: error)
            }
        }.value
    }

    /// Makes everything durable, then gives a finished folder its name: no half environment has one.
    func publish(_ draft: String, as manifest: EnvironmentManifest) async throws {
        let (path, manifestPath) = (path, manifestPath)
        try await Task.detached {
            do {
                let folder = try Folder(makingPath: path)
                let manifests = try Folder(makingPath: manifestPath)
                try folder.synchroniseFileSystem()
                guard rename("\(path)/\(draft)", "\(path)/\(manifest.id)") == 0 else {
                    throw EngineError(.storage, "cannot rename \(draft): \(String(cString: strerror(errno)))")
                }
                try folder.synchronise()
                try manifest.write(below: manifestPath)
                try manifests.synchronise()
            } catch {
                throw EngineError(.storage, "a finished environment cannot be kept in \(path)", cause: error)
            }
        }.value
    }

    /// Leaves environments that an earlier version sealed to their groups alone; returns those that only another user
    /// can change.
    func close(_ ids: [String]) -> [String] {
        ids.filter { id in
            let entry = "\(path)/\(id)"
            var status = stat()
            guard lstat(entry, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
                status.st_mode & 0o7777 == Self.oldSealedMode
            else { return false }
            return chmod(entry, Self.sealedMode) != 0
        }
    }

    /// Removes entries of both folders as the engine's own user; returns those that it could not.
    func remove(_ names: [String]) -> [String] {
        names.filter { name in
            let entry = "\(Self.isManifest(name) ? manifestPath : path)/\(name)"
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
        var status = stat()
        guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return }
        // First, since its owner may not list what is sealed.
        chmod(folder, 0o700)
        guard let names = FileManager.default.enumerator(atPath: folder) else { return }
        for case let name as String in names {
            let entry = "\(folder)/\(name)"
            if lstat(entry, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { chmod(entry, 0o700) }
        }
    }

    /// Takes over what an earlier version wrote into the folder that sandboxes mount.
    private func moveManifests() throws {
        let manager = FileManager.default
        for name in try manager.contentsOfDirectory(atPath: path) where Self.isOurs(name) && Self.isManifest(name) {
            let (old, new) = ("\(path)/\(name)", "\(manifestPath)/\(name)")
            if rename(old, new) == 0 { continue }
            // On another file system it is copied, over what a crash left of an earlier try.
            if manager.fileExists(atPath: new) { try manager.removeItem(atPath: new) }
            try manager.moveItem(atPath: old, toPath: new)
        }
    }

    /// How the names of manifests end.
    private static let suffix = ".json"

    private static func isManifest(_ name: String) -> Bool { name.hasSuffix(suffix) }

    /// Whether a name is one that environments, their drafts and manifests have.
    private static func isOurs(_ name: String) -> Bool {
        name.utf8.prefix(24).count(where: { (48...57).contains($0) || (97...102).contains($0) }) == 24
    }
}
