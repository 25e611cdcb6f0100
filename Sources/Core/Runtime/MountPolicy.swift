import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Decides where the folders that jobs mount really lie, and which are never mounted.
///
/// The text of a path says nothing about where it leads: a task that may write into one allowed folder could put a
/// symbolic link there, which the container engine would follow. So a source is resolved when a job is submitted, and
/// what was found is what is mounted; it is resolved again when a sandbox starts, and compared with what the container
/// got. The lists themselves are resolved once, before a task could have put a link into a path of theirs.
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
        self.allow = allow.map { Self.resolved($0, writable: writable) }
        self.writable = writable.map { Self.resolved($0, writable: writable) }
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
        guard try resolve(source: source, writable: writable).utf8.elementsEqual(source.utf8) else {
            throw EngineError(.startFailed, "the folder \(source) was replaced by a link after the job was submitted")
        }
    }

    /// What can be seen of a mount in a container.
    package enum Sight: Sendable, Equatable {
        /// What the source is now, mounted at the target and nowhere else, as a mount with this number.
        case mounted(id: Int)
        /// Something else, or nothing.
        case absent
        /// This process may not look into the container.
        case hidden
    }

    /// Sees that a container got the very folders that were to be mounted.
    ///
    /// - Parameters:
    ///   - mounts: All folders of one container, with sources that were resolved.
    ///   - sight: What can be seen of one of them.
    /// - Throws: `.startFailed` where one of them is not what is mounted. A container that cannot be looked into gets
    ///   the benefit of the doubt only for sources that no task can replace.
    package func verify(_ mounts: [SandboxClass.Mount], seeing sight: (SandboxClass.Mount) -> Sight) throws {
        var seen: Set<Int> = []
        for mount in mounts {
            switch sight(mount) {
            // One mount counts for one folder: of two, one could be seen at both places while a task swaps them.
            case .mounted(let id) where seen.insert(id).inserted: continue
            case .mounted, .absent:
                throw EngineError(
                    .startFailed,
                    "the folder \(mount.source) was replaced while the sandbox started, or \(mount.target) is a link in "
                        + "the image: nothing of it was used")
            case .hidden where !Self.lies(mount.source, in: writable): continue
            case .hidden:
                throw EngineError(
                    .startFailed,
                    "the folder \(mount.source) is, or lies in, one that tasks may write to, and the engine may not look "
                        + "into the container to see that it was not replaced: run the engine as root")
            }
        }
    }

    /// Sees whether a container got what a source is now.
    ///
    /// - Parameters:
    ///   - source: An absolute path that was resolved: a symbolic link in it counts as something else.
    ///   - target: Where it is in the container; a link in this path counts as something else, too.
    ///   - processID: The container's first process as the host sees it.
    package static func sight(of source: String, at target: String, processID: Int32) -> Sight {
        let inside: PlainPath
        do throws(PlainPath.Failure) {
            inside = try PlainPath(target, below: "/proc/\(processID)/root")
        } catch {
            return error == .hidden ? .hidden : .absent
        }
        // What the engine cannot see itself was not what it resolved.
        guard let outside = try? PlainPath(source), inside.device == outside.device, inside.inode == outside.inode
        else { return .absent }
        // A folder in a mounted folder is the same as on the host without being mounted itself.
        guard inside.isMountRoot, let text = FileManager.default.contents(atPath: "/proc/\(processID)/mountinfo"),
            MountPlaces(text).isMount(inside.mountID, at: target)
        else { return .absent }
        return .mounted(id: inside.mountID)
    }

    private static func lies(_ path: String, in folders: [String]) -> Bool {
        folders.contains { PathRules.isInside(path, $0) }
    }

    /// A folder of a list with its links resolved, but for what tasks may have put into it.
    private static func resolved(_ folder: String, writable: [String]) -> String {
        let above = (writable + writable.compactMap(real)).map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
            .filter { $0.utf8.count < folder.utf8.count && PathRules.isInside(folder, $0) }
        if let top = above.min(by: { $0.utf8.count < $1.utf8.count }) {
            return resolved(top) + String(decoding: folder.utf8.dropFirst(top.utf8.count), as: UTF8.self)
        }
        return resolved(folder)
    }

    /// A path with the links of what there is of it resolved; the rest may be made later.
    private static func resolved(_ path: String) -> String {
        if let real = real(path) { return real }
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex else { return path }
        return resolved(String(path[..<slash])) + path[slash...]
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
