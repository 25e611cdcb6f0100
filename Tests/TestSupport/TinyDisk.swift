import Foundation

/// A file system of a few megabytes, mounted for one test.
package final class TinyDisk {
    package let folder: URL

    /// Whether this process may mount file systems.
    package static let isPossible: Bool = {
        do { return try TinyDisk(megabytes: 1).isMounted } catch { return false }
    }()

    private var isMounted = false

    package init(megabytes: Int) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("disk-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        isMounted = ChildProcess.succeeds(
            "/bin/mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs", folder.path])
    }

    deinit {
        if isMounted { _ = ChildProcess.succeeds("/bin/umount", ["-l", folder.path]) }
        // Left over, the empty folder harms nobody.
        try? FileManager.default.removeItem(at: folder)
    }

    /// Fills the disk to the last byte with a file.
    package func fill(_ name: String) throws {
        let file = folder.appendingPathComponent(name)
        try Data().write(to: file)
        let handle = try FileHandle(forWritingTo: file)
        for size in [65_536, 4096, 1] {
            // Each size until it fails: that is how the last byte is found.
            while (try? handle.write(contentsOf: Data(repeating: 1, count: size))) != nil {}
        }
        try handle.close()
    }

    /// Removes a file.
    package func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
    }
}
