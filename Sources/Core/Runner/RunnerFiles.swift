import CRunnerFiles
import Crypto
import Foundation

/// The Python files of the runner, embedded in the binary.
package enum RunnerFiles {
    /// One file: its name relative to the runner's folder, and its bytes.
    package struct File: Sendable {
        package let name: String
        package let bytes: [UInt8]
    }

    /// Every file of the runner.
    package static let all: [File] = {
        UnsafeBufferPointer(start: slipway_runner_files, count: slipway_runner_file_count).map { file in
            File(
                name: String(cString: file.name),
                bytes: Array(UnsafeBufferPointer(start: file.bytes, count: file.size)))
        }
    }()

    /// A short hash of all files: names the folder they are written to.
    package static let version: String = {
        var hash = SHA256()
        for file in all {
            hash.update(data: Array(file.name.utf8) + [0])
            hash.update(data: file.bytes)
        }
        return hash.finalize().prefix(8).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }()

    /// Writes the files below `folder`, once for each version, and gives the folder that holds them.
    ///
    /// Everybody may read them: they hold no secret, and supervisors run under other users.
    package static func install(below folder: URL) throws -> URL {
        let manager = FileManager.default
        let target = folder.appendingPathComponent(version)
        if manager.fileExists(atPath: target.path) { return target }
        let draft = folder.appendingPathComponent("\(version).\(UUID().uuidString)")
        do {
            for file in all {
                let path = draft.appendingPathComponent(file.name)
                try manager.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(file.bytes).write(to: path)
                try manager.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path.path)
            }
            try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: draft.path)
            try manager.moveItem(at: draft, to: target)
        } catch {
            // The draft is of no use to anybody; what failed is reported below.
            try? manager.removeItem(at: draft)
            if manager.fileExists(atPath: target.path) { return target }
            throw EngineError(.storage, "cannot write the runner's files below \(folder.path)", cause: error)
        }
        return target
    }
}
