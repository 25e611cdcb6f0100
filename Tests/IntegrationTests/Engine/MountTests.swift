import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Folders of the host in sandboxes: what is mounted is what was allowed, whatever links say.
    @Suite("Mounts", .serialized, .enabled("needs a container engine") { hasContainers() })
    struct MountTests {
        private static let list = """
            import os
            def main(path):
                try:
                    open(path + "/written", "w").close()
                    return "written"
                except OSError:
                    return sorted(os.listdir(path))
            """

        private func start(_ folder: TemporaryFolder) async throws -> TestEngine {
            let files = FileManager.default
            for name in ["in", "out", "secret"] {
                try files.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: false)
            }
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/in/file"))
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/secret/key"))
            chmod("\(folder.path)/out", 0o777)
            let socket = try #require(ContainerEngine.socketPath)
            let above = URL(fileURLWithPath: socket).deletingLastPathComponent().path
            return try await TestEngine.start("docker") {
                $0.sandbox.mountAllow = ["\(folder.path)/in", "\(folder.path)/out", "/etc", "/var", "/run", above]
                $0.sandbox.mountWritable = ["\(folder.path)/out"]
            }
        }

        private func submit(_ engine: TestEngine, _ source: String, writable: Bool = false) async throws -> JobOutcome {
            try await engine.run(source: Self.list, args: ["/data"]) {
                $0.mounts = [.init(source: source, target: "/data", writable: writable)]
            }
        }

        @Test("an allowed folder is read, and written only where that is allowed too")
        func allowed() async throws {
            let folder = try TemporaryFolder()
            let engine = try await start(folder)
            #expect(try await submit(engine, folder.path + "/in").value == ["file"])
            #expect(try await submit(engine, folder.path + "/out").value == [])
            #expect(try await submit(engine, folder.path + "/out", writable: true).value == "written")
            // The next task comes after the one before was swept away, and as another user, who may read the file.
            #expect(try await submit(engine, folder.path + "/out", writable: true).value == ["written"])
            #expect(FileManager.default.fileExists(atPath: folder.path + "/out/written"))
            let error = await #expect(throws: EngineError.self) {
                try await submit(engine, folder.path + "/in", writable: true)
            }
            #expect(error?.code == .notAllowed)
            #expect(error?.message.contains("mount_writable") == true, "\(String(describing: error))")
            try await engine.shutdownLeavingNothing()
        }

        @Test("links out of an allowed folder are refused when they are submitted, wherever they stand in the path")
        func links() async throws {
            let folder = try TemporaryFolder()
            let engine = try await start(folder)
            let files = FileManager.default
            try files.createSymbolicLink(
                atPath: folder.path + "/out/link", withDestinationPath: folder.path + "/secret")
            try files.createSymbolicLink(atPath: folder.path + "/out/up", withDestinationPath: "..")
            try files.createSymbolicLink(atPath: folder.path + "/out/root", withDestinationPath: "/")
            try files.createSymbolicLink(atPath: folder.path + "/out/inner", withDestinationPath: folder.path + "/in")
            for path in ["link", "up", "up/secret", "root", "root/etc", "missing", "link/key"] {
                let error = await #expect(throws: EngineError.self, "\(path)") {
                    try await submit(engine, "\(folder.path)/out/\(path)")
                }
                #expect(error?.code == .notAllowed && error?.faults.first?.pointer == "/mounts/0/source", "\(path)")
            }
            let inner = try await submit(engine, folder.path + "/out/inner")
            #expect(inner.value == ["file"], "a link within what is allowed")
            try await engine.shutdownLeavingNothing()
        }

        @Test("a folder that becomes a link after the job was submitted is not mounted")
        func swapped() async throws {
            let folder = try TemporaryFolder()
            let engine = try await start(folder)
            let place = folder.path + "/out/place"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
            // The resolution at the start of the sandbox sees what the one at the submit did not.
            let policy = MountPolicy(allow: [folder.path + "/out"], writable: [], protected: [])
            let resolved = try policy.resolve(source: place, writable: false)
            try FileManager.default.removeItem(atPath: place)
            try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: folder.path + "/secret")
            #expect(throws: EngineError.self) { try policy.verify(source: resolved, writable: false) }
            try FileManager.default.removeItem(atPath: place)
            try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: folder.path + "/out")
            #expect(throws: EngineError.self) { try policy.verify(source: resolved, writable: false) }
            try await engine.shutdownLeavingNothing()
        }

        @Test("the container engine's socket, the engine's own folders and the system's are never mounted")
        func never() async throws {
            let folder = try TemporaryFolder()
            let engine = try await start(folder)
            let socket = try #require(ContainerEngine.socketPath)
            let paths = [
                socket, URL(fileURLWithPath: socket).deletingLastPathComponent().path, "/etc", "/etc/ssl", "/var",
                "/var/run", "/run",
            ]
            for path in paths {
                let error = await #expect(throws: EngineError.self, "\(path)") { try await submit(engine, path) }
                #expect(error?.code == .notAllowed, "\(path)")
            }
            let data = MountPolicy(
                allow: ["/"], writable: ["/"], protected: [socket, engine.configuration.data.directory ?? ""])
            for path in paths + ["/", "/proc", "/proc/1", "/sys", "/dev", "/dev/shm", engine.folder.path] {
                #expect(throws: EngineError.self, "\(path)") { try data.resolve(source: path, writable: false) }
            }
            try await engine.shutdownLeavingNothing()
        }
    }
}
