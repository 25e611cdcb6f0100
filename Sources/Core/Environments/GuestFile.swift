import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Files in a folder that a container may write to: what it put there is not taken for what its name says.
///
/// A link would lead to files of this machine, and opening a pipe waits for whoever writes to it.
enum GuestFile {
    /// Opens a regular file with one name; nil where there is none.
    static func open(_ path: String) -> FileHandle? {
        let descriptor = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1 else {
            return nil
        }
        return file
    }

    /// Writes a file that nobody but its owner may read, in place of whatever has its name.
    ///
    /// - Throws: ``EngineError`` of code `storage`.
    static func write(_ data: Data, to path: String) throws {
        unlink(path)
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw EngineError(.storage, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        do {
            try FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).write(contentsOf: data)
        } catch {
            throw EngineError(.storage, "cannot write \(path)", cause: error)
        }
    }
}
