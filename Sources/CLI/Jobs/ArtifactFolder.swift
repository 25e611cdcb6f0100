import Foundation
import SlipwayCore

/// The folder into which the files that a task left are saved.
///
/// Their names are the task's words: each stays below the folder, no symbolic link is followed, and a file takes its
/// name when all of it is there.
struct ArtifactFolder {
    private let path: String

    init(_ path: String) { self.path = path.isEmpty ? "." : path }

    /// Refuses a path where no folder can be, before anything is run or fetched for it.
    ///
    /// - Throws: ``CommandExit`` with code 2.
    func check() throws {
        var status = stat()
        let number = stat(path, &status) == 0 ? (status.st_mode & S_IFMT == S_IFDIR ? 0 : ENOTDIR) : errno
        // One that is missing is made when there is something to save.
        guard number == 0 || number == ENOENT else {
            throw CommandExit(
                CommandExit.usage,
                "no files can be saved in \(path): \(SystemError.words(number)). Name a folder with --output.")
        }
    }

    /// Saves a file; `fill` hands its bytes to the closure that it is given.
    ///
    /// - Throws: ``CommandExit`` when it cannot be written.
    func save(_ name: String, _ fill: (([UInt8]) throws -> Void) async throws -> Void) async throws {
        if let fault = OutputName.fault(in: name) {
            throw CommandExit(CommandExit.unreachable, "'\(Table.printable(name))' cannot be saved: \(fault).")
        }
        let target = try place(of: name)
        let draft = "\(target).slipway-\(UInt32.random(in: 0 ... .max))"
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw Self.failure(target) }
        do {
            defer { close(file) }
            try await fill { bytes in try Self.write(bytes, to: file, target) }
            guard rename(draft, target) == 0 else { throw Self.failure(target) }
        } catch {
            // The first error tells more than one of removing what was begun.
            unlink(draft)
            throw error
        }
    }

    /// The file's path, whose folders are there afterwards.
    private func place(of name: String) throws -> String {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw CommandExit(CommandExit.unreachable, "cannot make \(path): \(SystemError.reason(error))")
        }
        var folder = path
        let parts = PathRules.parts(of: name)
        for part in parts.dropLast() {
            folder += "/\(part)"
            var information = stat()
            if lstat(folder, &information) != 0 {
                guard mkdir(folder, 0o777) == 0 else { throw Self.failure(folder) }
            } else if information.st_mode & S_IFMT != S_IFDIR {
                throw CommandExit(CommandExit.unreachable, "cannot write into \(folder): it is no folder.")
            }
        }
        return "\(folder)/\(parts.last ?? "")"
    }

    private static func write(_ bytes: [UInt8], to file: Int32, _ target: String) throws {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            if count > 0 {
                offset += count
            } else if errno != EINTR {
                throw failure(target)
            }
        }
    }

    private static func failure(_ path: String) -> CommandExit {
        CommandExit(CommandExit.unreachable, "cannot write \(path): \(SystemError.words(errno))")
    }
}
