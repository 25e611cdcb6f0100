import CRunnerFiles
import Crypto
import Foundation

/// The Python program that builds environments, embedded in the binary.
package enum BuilderFiles {
    /// Every file of the program.
    static let all: [(name: String, data: Data)] = {
        UnsafeBufferPointer(start: slipway_builder_files, count: slipway_builder_file_count).map { file in
            (name: String(cString: file.name), data: Data(bytes: file.bytes, count: file.size))
        }
    }()

    /// A short hash of all files.
    static let version: String = {
        var hash = SHA256()
        for file in all { hash.update(data: Data(file.name.utf8) + [0] + file.data) }
        return hash.finalize().prefix(8).hexadecimal
    }()

    /// Writes the program below `folder`, once for each version, and gives the folder that holds it.
    ///
    /// Everybody may read it: it holds no secret.
    package static func install(below folder: String) throws -> String {
        let target = "\(folder)/\(version)"
        let manager = FileManager.default
        if manager.fileExists(atPath: target) { return target }
        let draft = "\(target).\(UUID().uuidString)"
        do {
            try manager.createDirectory(atPath: draft, withIntermediateDirectories: true)
            for file in all {
                try file.data.write(to: URL(fileURLWithPath: "\(draft)/\(file.name)"))
                try manager.setAttributes([.posixPermissions: 0o644], ofItemAtPath: "\(draft)/\(file.name)")
            }
            try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: draft)
            try manager.moveItem(atPath: draft, toPath: target)
        } catch {
            // The draft is of no use to anybody; what failed is reported below.
            try? manager.removeItem(atPath: draft)
            if manager.fileExists(atPath: target) { return target }
            throw EngineError(.storage, "cannot write the builder's program below \(folder)", cause: error)
        }
        return target
    }
}
