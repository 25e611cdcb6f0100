import Crypto
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The folders of one engine and the lock that keeps a second one out.
package final class EngineFolders: Sendable {
    /// The longest path of a unix socket in bytes (unix(7)).
    private static let socketPathLimit = 107

    /// The data folder.
    package let data: URL
    /// The folder of payloads at rest.
    package let artifacts: URL
    /// The folder with one folder for each sandbox, which holds its socket.
    package let sandboxes: URL
    /// What names this boot of the machine.
    package let bootID: String
    private let lock: Mutex<Int32?>

    /// Makes the folders and takes the lock.
    ///
    /// - Throws: `.configuration` when another engine uses the data folder or a folder cannot be made.
    package init(configuration: Configuration, environment: [String: String]) throws {
        data = URL(fileURLWithPath: configuration.data.directoryPath(environment: environment))
        artifacts = URL(fileURLWithPath: configuration.data.artifacts ?? data.path + "/artifacts")
        try Self.make(data, mode: 0o700)
        let path = data.path + "/lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw EngineError(.configuration, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            throw EngineError(
                .configuration,
                "another engine uses the data folder \(data.path): stop it, or set data.directory to another folder")
        }
        lock = Mutex(file)
        let hash = SHA256.hash(data: Array(data.path.utf8)).prefix(5).map { String($0, radix: 36) }.joined()
        let base = configuration.data.socketPath(environment: environment)
        sandboxes = URL(fileURLWithPath: base).appendingPathComponent("slipway-\(hash)")
        try Self.makePrivate(sandboxes)
        let longest = sandboxes.path.utf8.count + "/sbx_".utf8.count + 26 + "/s".utf8.count
        guard longest <= Self.socketPathLimit else {
            throw EngineError(
                .configuration,
                "data.socket_directory is too long: its sockets would have \(longest) bytes of at most "
                    + "\(Self.socketPathLimit)")
        }
        bootID = Self.currentBoot()
    }

    deinit { unlock() }

    /// Lets another engine use the data folder.
    package func unlock() {
        lock.withLock { file in
            if let file { close(file) }
            file = nil
        }
    }

    /// The folder of a sandbox.
    package func sandboxFolder(_ id: SandboxID) -> URL { sandboxes.appendingPathComponent(id.description) }

    /// Makes the folder of a sandbox.
    package func makeSandboxFolder(_ id: SandboxID) throws { try Self.make(sandboxFolder(id), mode: 0o755) }

    /// Removes the folder of a sandbox with all in it.
    package func removeSandboxFolder(_ id: SandboxID) {
        // What cannot be removed is tried again when the engine starts the next time.
        try? FileManager.default.removeItem(at: sandboxFolder(id))
    }

    private static func make(_ folder: URL, mode: Int?) throws {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            if let mode {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder.path)
            }
        } catch {
            throw EngineError(.configuration, "cannot make the folder \(folder.path): \(error)", cause: error)
        }
    }

    /// Makes a folder that may lie in a place where others write, and refuses one that somebody else made.
    private static func makePrivate(_ folder: URL) throws {
        try make(folder.deletingLastPathComponent(), mode: nil)
        _ = mkdir(folder.path, 0o700)
        var status = stat()
        guard lstat(folder.path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
            chmod(folder.path, 0o700) == 0
        else {
            throw EngineError(
                .configuration,
                "\(folder.path) is not a folder of this user: remove it, or set data.socket_directory to another one")
        }
    }

    private static func currentBoot() -> String {
        guard let data = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id") else { return "" }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
