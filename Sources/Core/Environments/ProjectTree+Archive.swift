import Foundation

#if canImport(Glibc)
    import Glibc
#endif

extension ProjectTree {
    /// The name of the tree in an archive.
    static let archiveName = "project"

    /// A tree as it is sent to a container engine elsewhere: what `read` counts, and nothing else.
    ///
    /// Only root may read it there, who makes the copy that is installed.
    static func entries(of root: String) throws -> [ArchiveStream.Entry] {
        var entries: [ArchiveStream.Entry] = [.folder(archiveName, mode: 0o700)]
        var open = [""]
        while let folder = open.popLast() {
            let place = folder.isEmpty ? root : "\(root)/\(folder)"
            for name in try FileManager.default.contentsOfDirectory(atPath: place).sorted()
            where !isIgnored(name, atTop: folder.isEmpty) {
                let inside = folder.isEmpty ? name : "\(folder)/\(name)"
                guard let (entry, isFolder) = try entry(inside, root) else { continue }
                entries.append(entry)
                if isFolder { open.append(inside) }
                guard entries.count <= entriesMax + 1 else {
                    throw EngineError(.dependency, "the project \(root) has more than \(entriesMax) files and folders")
                }
            }
        }
        return entries
    }

    private static func entry(
        _ inside: String, _ root: String
    ) throws -> (entry: ArchiveStream.Entry, isFolder: Bool)? {
        let name = "\(archiveName)/\(inside)"
        let path = "\(root)/\(inside)"
        var status = stat()
        // What vanished meanwhile is not part of it.
        guard lstat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return (.folder(name, mode: 0o700), true)
        case S_IFLNK:
            return (.link(name, target: try FileManager.default.destinationOfSymbolicLink(atPath: path)), false)
        case S_IFREG:
            let mode = status.st_mode & S_IXUSR == 0 ? 0o600 : 0o700
            return (.file(name, path: path, sizeBytes: Int(status.st_size), mode: mode), false)
        default: return nil
        }
    }
}
