import Crypto
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The folders of one engine and the locks that keep a second one out.
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
    private let locks: Mutex<[FolderLock]>

    /// Makes the folders and takes the locks of the data folder (`lock`) and of the payloads (`.lock`), which an engine
    /// with another data folder may be told to use.
    ///
    /// - Throws: `.configuration` when another engine uses one of the two or a folder cannot be made, `.storage` when
    ///   that of the payloads cannot be made.
    package init(configuration: Configuration, environment: [String: String]) throws {
        data = URL(fileURLWithPath: configuration.data.directoryPath(environment: environment))
        artifacts = URL(fileURLWithPath: configuration.data.artifactsPath(environment: environment))
        try Self.make(data, mode: 0o700)
        let dataLock = try FolderLock(data.path + "/lock", of: "data folder \(data.path)", key: "data.directory")
        // Made as the store of payloads makes it.
        _ = try Folder(makingPath: artifacts.path)
        let artifactsLock = try FolderLock(
            artifacts.path + "/.lock", of: "artifacts folder \(artifacts.path)", key: "data.artifacts")
        locks = Mutex([dataLock, artifactsLock])
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

    /// Lets another engine use the folders.
    package func unlock() { locks.withLock { $0 = [] } }

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
            throw EngineError(.configuration, "cannot make the folder \(folder.path)", cause: error)
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

/// The lock of a folder that one engine at a time may use, held until nobody holds this object.
private final class FolderLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock; its file stays when the engine is gone.
    ///
    /// - Parameters:
    ///   - folder: What is locked, for the message.
    ///   - key: The configuration's key that names another folder.
    /// - Throws: `.configuration` when another engine has it or the file cannot be opened.
    init(_ path: String, of folder: String, key: String) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw EngineError(.configuration, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            throw EngineError(
                .configuration, "another engine uses the \(folder): stop it, or set \(key) to another folder")
        }
        descriptor = file
    }

    deinit { close(descriptor) }
}
