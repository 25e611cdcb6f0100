import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Decides where the folders that jobs mount really lie, and which are never mounted.
///
/// The text of a path says nothing about where it leads: a task that may write into one allowed folder could put a
/// symbolic link there, which the container engine would follow. So a source is resolved when a job is submitted, and
/// what was found is what is mounted; it is resolved again when a sandbox starts, and compared with what the container
/// got.
package struct MountPolicy: Sendable {
    /// Folders of the system, none of which is mounted, nor anything in them, nor a folder that holds them.
    package static let system = [
        "/proc", "/sys", "/dev", "/etc", "/run", "/boot", "/var/run", "/var/lib/docker", "/var/lib/containerd",
        "/var/lib/containers",
    ]

    private let allow: [String]
    private let writable: [String]
    private let protected: [String]

    /// Makes a policy.
    ///
    /// - Parameters:
    ///   - allow: Folders that may be mounted, each with everything below it.
    ///   - writable: Those of them that may be mounted writable.
    ///   - protected: Further paths like those of the system: the container engine's socket, the engine's own folders.
    package init(allow: [String], writable: [String], protected: [String]) {
        self.allow = allow
        self.writable = writable
        self.protected = Self.system + protected
    }

    /// The source of a mount with every symbolic link resolved.
    ///
    /// - Throws: `.notAllowed` with what is wrong, for a path that leads where it must not.
    package func resolve(source: String, writable isWritable: Bool) throws -> String {
        guard let real = Self.real(source) else {
            throw EngineError(.notAllowed, "The folder \(source) does not exist")
        }
        guard Self.lies(real, in: allow) else {
            throw EngineError(
                .notAllowed, "The folder \(source) leads to one that is not on the list of allowed mounts")
        }
        guard !isWritable || Self.lies(real, in: writable) else {
            throw EngineError(
                .notAllowed, "The folder \(source) can be mounted read-only: it is not in sandbox.mount_writable")
        }
        let guarded = protected.map { Self.real($0) ?? $0 } + protected
        if let hit = guarded.first(where: { PathRules.isInside(real, $0) || PathRules.isInside($0, real) }) {
            let name = Self.isSocket(hit) ? "a socket of the engine" : hit
            throw EngineError(
                .notAllowed, "The folder \(source) is never mounted: it is, lies in or holds \(name)")
        }
        var status = stat()
        guard lstat(real, &status) == 0, [S_IFDIR, S_IFREG].contains(status.st_mode & S_IFMT) else {
            throw EngineError(.notAllowed, "\(source) is neither a folder nor a file")
        }
        return real
    }

    /// Resolves a source again that was resolved before: it must still be the same.
    package func verify(source: String, writable: Bool) throws {
        guard try resolve(source: source, writable: writable) == source else {
            throw EngineError(.startFailed, "the folder \(source) was replaced by a link after the job was submitted")
        }
    }

    /// Whether a container got what a source is now; nil where that cannot be seen.
    ///
    /// - Parameter processID: The container's first process as the host sees it.
    package static func isMounted(source: String, at target: String, processID: Int32) -> Bool? {
        var (inside, outside) = (stat(), stat())
        guard lstat(source, &outside) == 0 else { return false }
        guard lstat("/proc/\(processID)/root\(target)", &inside) == 0 else { return errno == EACCES ? nil : false }
        return inside.st_dev == outside.st_dev && inside.st_ino == outside.st_ino
    }

    private static func lies(_ path: String, in folders: [String]) -> Bool {
        folders.contains { folder in real(folder).map { PathRules.isInside(path, $0) } ?? false }
    }

    private static func real(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }
}
