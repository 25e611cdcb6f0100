import Foundation
import Synchronization

/// A folder of its own for one test, removed when nobody holds it any more.
///
/// Its name is short, since paths of unix sockets below it have 107 bytes at most.
package final class TemporaryFolder: Sendable {
    /// The folder's absolute path.
    package let path: String
    private let hasEngines = Atomic(false)

    package init() throws {
        var template = Array("/tmp/slw-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // Before the folder goes, which says whose they are.
        if hasEngines.load(ordering: .relaxed) { EngineSweep.run(below: path) }
        // What is left in /tmp harms no other test.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Has what engines on this folder leave in the container engine removed together with it.
    package func sweepEngines() { hasEngines.store(true, ordering: .relaxed) }

    /// Makes a folder below this one.
    package func makeFolder(_ name: String, mode: Int = 0o755) throws -> String {
        let folder = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // The umask does not count here: sandboxes write as users of their own.
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder)
        return folder
    }

    /// Writes a file below this one and gives its path.
    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}

/// What a test's own tools report when they cannot go on.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
