import Crypto
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// A source tree of the host as it was when it was looked at: where it is, and a hash of all that is installed from it.
package struct ProjectTree: Sendable, Hashable {
    /// The folder, without symbolic links on the way.
    package let path: String
    /// The hash of names, kinds and contents, 32 hexadecimal digits.
    package let digest: String

    package init(path: String, digest: String) {
        self.path = path
        self.digest = digest
    }

    /// The most entries that a tree may have.
    package static let entriesMax = 20_000
    /// The most bytes that its files may have together.
    package static let bytesMax = 256 << 20
    /// Names of folders and files that belong to tools and are neither hashed nor installed; `build.py` has the same.
    package static let ignored: Set<String> = [
        ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache",
        ".build", "__pycache__", "node_modules",
    ]
    /// The same for names directly in the tree, where earlier builds leave what they made.
    package static let ignoredAtTop: Set<String> = ["build", "dist"]

    static func isIgnored(_ name: String, atTop: Bool) -> Bool {
        ignored.contains(name) || name.hasSuffix(".egg-info") || atTop && ignoredAtTop.contains(name)
    }

    /// Reads a tree.
    ///
    /// Symbolic links are not followed: their text counts. Other kinds of entries, such as sockets, are left out.
    ///
    /// - Throws: `.dependency` when it is no folder, cannot be read, or has more than `entriesMax` entries or
    ///   `bytesMax` bytes.
    package static func read(_ path: String) throws -> ProjectTree {
        var reader = TreeReader()
        try reader.read(path)
        return ProjectTree(path: path, digest: reader.digest)
    }

    /// Where a folder really is; nil when there is none.
    package static func resolved(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }
}

/// Adds up what lies below a folder.
private struct TreeReader {
    private var hash = SHA256()
    private var entries = 0
    private var bytes = 0

    var digest: String {
        hash.finalize().prefix(16).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    mutating func read(_ root: String) throws {
        var status = stat()
        guard lstat(root, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw EngineError(.dependency, "the project \(root) is no folder on the engine's machine")
        }
        var open = [""]
        while let folder = open.popLast() {
            let place = folder.isEmpty ? root : "\(root)/\(folder)"
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: place).sorted()
            } catch {
                throw EngineError(.dependency, "the engine may not read \(place) of the project", cause: error)
            }
            for name in names where !ProjectTree.isIgnored(name, atTop: folder.isEmpty) {
                let inside = folder.isEmpty ? name : "\(folder)/\(name)"
                if try take(inside, root) { open.append(inside) }
            }
        }
    }

    /// Adds an entry; true for a folder.
    private mutating func take(_ name: String, _ root: String) throws -> Bool {
        var status = stat()
        // What vanished meanwhile is not part of it.
        guard lstat("\(root)/\(name)", &status) == 0 else { return false }
        entries += 1
        guard entries <= ProjectTree.entriesMax else {
            throw EngineError(
                .dependency, "the project \(root) has more than \(ProjectTree.entriesMax) files and folders")
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            add("d", name, [])
            return true
        case S_IFLNK:
            add("l", name, Array(try FileManager.default.destinationOfSymbolicLink(atPath: "\(root)/\(name)").utf8))
        case S_IFREG:
            bytes += Int(status.st_size)
            guard bytes <= ProjectTree.bytesMax else {
                throw EngineError(
                    .dependency, "the project \(root) has more than \(ProjectTree.bytesMax >> 20) MiB of files")
            }
            let content = try FileManager.default.contents(atPath: "\(root)/\(name)").orThrow(
                EngineError(.dependency, "the engine may not read \(root)/\(name) of the project"))
            add(status.st_mode & S_IXUSR == 0 ? "f" : "x", name, content)
        default: break
        }
        return false
    }

    /// Lengths keep neighbouring values apart.
    private mutating func add(_ kind: String, _ name: String, _ content: some DataProtocol) {
        hash.update(data: Array("\(kind) \(name.utf8.count) \(name) \(content.count)\n".utf8))
        hash.update(data: content)
    }
}

extension Optional {
    fileprivate func orThrow(_ error: EngineError) throws -> Wrapped {
        guard let self else { throw error }
        return self
    }
}
