import Foundation
import SlipwayCore

/// The credentials file, through which the command line and the Python client find a gateway of this machine.
///
/// One JSON object `{"key": ..., "tenant": ..., "url": ...}` with mode 0600 at `$XDG_CONFIG_HOME/slipway/credentials`,
/// or `~/.config/slipway/credentials`.
public struct Credentials: Sendable, Equatable {
    /// The address of the gateway, such as `http://127.0.0.1:7433`.
    public var url: String
    /// The key.
    public var key: String
    /// The tenant of the key.
    public var tenant: String

    /// Makes credentials.
    public init(url: String, key: String, tenant: String) {
        self.url = url
        self.key = key
        self.tenant = tenant
    }

    /// Where the file is by default.
    public static func defaultPath(environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        // XDG demands that relative paths be ignored.
        if let folder = environment["XDG_CONFIG_HOME"], folder.hasPrefix("/") {
            return folder + "/slipway/credentials"
        }
        return (environment["HOME"] ?? NSHomeDirectory()) + "/.config/slipway/credentials"
    }

    /// Reads the file; nil when there is none.
    ///
    /// - Throws: ``EngineError`` of code `configuration` when it cannot be read, is no such file, or others may read it.
    public static func load(from path: String) throws -> Credentials? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let bytes: [UInt8]
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            if let mode = attributes[.posixPermissions] as? Int, mode & 0o077 != 0 {
                throw EngineError(
                    .configuration, "Others can read \(path), which holds a key: run chmod 600 on it.")
            }
            bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch let error as EngineError {
            throw error
        } catch {
            throw EngineError(.configuration, "Cannot read \(path).", cause: error)
        }
        guard let value = try? JSONValue(parsing: bytes), let url = value["url"]?.text, let key = value["key"]?.text
        else {
            // What is in the file is not repeated: it may be a key.
            throw EngineError(.configuration, "\(path) is no JSON object with 'url' and 'key'; remove or repair it.")
        }
        return Credentials(url: url, key: key, tenant: value["tenant"]?.text ?? TenantID.default.description)
    }

    /// Writes the file with mode 0600, and its folder with 0700 when it is missing.
    ///
    /// The file is replaced as a whole: a reader sees the old one or the new one.
    public func write(to path: String) throws {
        let url = URL(fileURLWithPath: path)
        let folder = url.deletingLastPathComponent()
        let temporary = folder.appendingPathComponent(".credentials.\(ProcessInfo.processInfo.processIdentifier)")
        let value: JSONValue = ["url": .string(self.url), "key": .string(key), "tenant": .string(tenant)]
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            // A leftover of a process with the same number; when there is none, there is nothing to remove.
            try? FileManager.default.removeItem(at: temporary)
            try Self.create(temporary.path, value.serialized() + [0x0A])
            guard rename(temporary.path, path) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        } catch {
            throw EngineError(.configuration, "Cannot write the credentials to \(path).", cause: error)
        }
    }

    /// Creates a file that nobody else could read at any moment.
    private static func create(_ path: String, _ bytes: [UInt8]) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        do {
            try file.write(contentsOf: Data(bytes))
            try file.synchronize()
        } catch {
            // The first error is the one to report.
            try? file.close()
            throw error
        }
        try file.close()
    }
}
