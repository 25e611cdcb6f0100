import Foundation
import SlipwayCore
import Testing

@Suite("Source trees")
final class ProjectTreeTests {
    let root: String

    init() throws {
        root = NSTemporaryDirectory() + "slipway-tree-\(UUID().uuidString)"
        try write("pyproject.toml", "[project]\n")
        try write("src/demo/__init__.py", "x = 1\n")
    }

    deinit {
        // A temporary folder: what stays is the system's to remove.
        try? FileManager.default.removeItem(atPath: root)
    }

    private func write(_ name: String, _ text: String) throws {
        let file = URL(fileURLWithPath: "\(root)/\(name)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private func digest() throws -> String { try ProjectTree.read(root).digest }

    @Test("whatever would be installed changes the hash")
    func changes() throws {
        var seen: Set<String> = [try digest()]
        func changed() throws -> Bool { seen.insert(try digest()).inserted }
        #expect(try digest() == seen.first)
        try write("src/demo/__init__.py", "x = 2\n")
        #expect(try changed())
        try write("src/demo/other.py", "")
        #expect(try changed())
        try FileManager.default.moveItem(atPath: root + "/src/demo/other.py", toPath: root + "/src/demo/more.py")
        #expect(try changed())
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: root + "/src/demo/more.py")
        #expect(try changed())
        try FileManager.default.createSymbolicLink(atPath: root + "/link", withDestinationPath: "/etc/passwd")
        #expect(try changed())
        try write("src/build/module.py", "")
        #expect(try changed())
    }

    @Test("what tools keep there does not")
    func ignored() throws {
        let before = try digest()
        for name in [
            ".git/HEAD", "src/demo/__pycache__/x.pyc", ".venv/bin/python", "build/lib/x.py", "dist/x.whl",
            "src/demo.egg-info/PKG-INFO",
        ] {
            try write(name, "1")
        }
        #expect(try digest() == before)
    }

    @Test("links are not followed: neither a loop nor a link out of it is read")
    func links() throws {
        try FileManager.default.createSymbolicLink(atPath: root + "/loop", withDestinationPath: ".")
        try FileManager.default.createSymbolicLink(atPath: root + "/out", withDestinationPath: "/proc")
        #expect(try digest().count == 32)
    }

    @Test("what is no folder is named")
    func missing() {
        let error = #expect(throws: EngineError.self) { try ProjectTree.read(root + "/none") }
        #expect(error?.code == .dependency)
        #expect(error?.message.contains("is no folder") == true)
    }

    @Test("a tree that is too large is refused")
    func tooLarge() throws {
        let file = root + "/large.bin"
        try Data().write(to: URL(fileURLWithPath: file))
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.truncate(atOffset: UInt64(ProjectTree.bytesMax) + 1)
        try handle.close()
        let error = #expect(throws: EngineError.self) { try ProjectTree.read(root) }
        #expect(error?.message.contains("more than 256 MiB") == true)
    }
}
