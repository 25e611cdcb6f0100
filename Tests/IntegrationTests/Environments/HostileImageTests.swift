import Foundation
import SlipwayCore
import Testing

/// Images of tenants whose Python is a program of theirs, as root in the builder, with folders of this machine.
@Suite("Hostile images", .enabled("no container engine answers", LiveEngine.answers), .serialized)
struct HostileImageTests {
    private static let secret = "nobody-else-may-read-this"
    private static let answer = #"{"ok": true, "bytes": 1, "versions": {"lie": "1"}}"#
    private static let probed = """
        {"ok": true, "interpreter": {"executable": "/x", "version": "3.11.2", "pip": true, "libc": "glibc 2.36",
         "abi": "cpython-311-x86_64-linux-gnu"}}
        """

    let bench: EnvironmentBench

    init() throws {
        bench = try EnvironmentBench()
        try bench.goOffline()
    }

    /// A file of this machine that only its owner may read.
    private func canary() throws -> String {
        let path = bench.data + "/canary"
        try Data((Self.secret + "\n").utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return path
    }

    /// Has an image install something whose Python is a script; gives what its tenant was told.
    private func install(_ requirement: String, by script: String) async throws -> (id: String?, told: String) {
        let image = try await bench.image(replacing: "/usr/local/bin/python3", by: "#!/bin/sh\n" + script)
        let store = try await bench.store()
        let heard = HeardText()
        var id: String?
        var told = ""
        do {
            id = try await store.provide(try await bench.need([requirement], image: image), groupID: 60_003) {
                heard.take($0)
            }
        } catch let error as EngineError {
            told = "\(error)"
        }
        try await bench.client.removeImage(image)
        return (id, told + heard.text)
    }

    @Test("links in a builder's folder lead to no file of this machine", arguments: ["output", "result.json"])
    func links(_ name: String) async throws {
        let path = try canary()
        let script = "ln -sf \(path) /opt/slipway/job/\(name); sleep 1; exit 3\n"
        let (id, told) = try await install("slipdemo==1.0", by: script)
        #expect(id == nil)
        #expect(!told.isEmpty)
        #expect(!told.contains(Self.secret), "\(told)")
        try await bench.close()
    }

    @Test("a pipe in a builder's folder keeps nobody waiting", arguments: ["output", "result.json"])
    func pipes(_ name: String) async throws {
        let (id, told) = try await install(
            "slipdemo==1.0", by: "rm -f /opt/slipway/job/\(name); mkfifo /opt/slipway/job/\(name); sleep 1; exit 3\n")
        #expect(id == nil)
        #expect(told.contains("exit code 3"), "\(told)")
        try await bench.close()
    }

    @Test("what an image answers to a question writes to no file of this machine afterwards")
    func probe() async throws {
        let path = try canary()
        bench.options.builderImage = LiveEngine.image
        let script = """
            cd /opt/slipway/job
            for name in spec.json output result.json.tmp; do rm -f $name; ln -s \(path) $name; done
            ln -s \(path).new new
            cat >result.json <<'END'
            \(Self.probed)
            END

            """
        let (_, told) = try await install("slipdemo==1.0", by: script)
        let left = try String(contentsOfFile: path, encoding: .utf8)
        #expect(left == Self.secret + "\n", "\(told)")
        #expect(!told.contains(Self.secret), "\(told)")
        let names = try FileManager.default.contentsOfDirectory(atPath: bench.data)
        #expect(!names.contains("canary.new"), "\(names)")
        try await bench.close()
    }

    @Test("what an image neither sealed nor counted is sealed and counted all the same")
    func unsealed() async throws {
        let script = """
            cd /opt/slipway/build
            mkdir open && chmod 777 open && printf x >open/tool && chmod 6777 open/tool && mkfifo pipe
            dd if=/dev/zero of=large bs=65536 count=16 2>/dev/null
            printf '%s' '\(Self.answer)' >/opt/slipway/job/result.json

            """
        let (found, told) = try await install("slipdemo==1.0", by: script)
        let id = try #require(found, "\(told)")
        let store = try await bench.store()
        #expect(try #require(store.list().first { $0.id == id }).bytes > 1 << 20, "its own count is not believed")
        let code = """
            import os
            root = "\(store.path(of: id, runtime: "docker"))"
            for name in "", "open", "open/tool":
                status = os.lstat(os.path.join(root, name))
                print(oct(status.st_mode & 0o7777), status.st_uid, status.st_gid)
            print(os.path.exists(root + "/pipe"))
            """
        let report = try await bench.rootPython(code)
        #expect(report.output == "0o50 0 60003\n0o550 0 60003\n0o550 0 60003\nFalse\n", "\(report.output)")
        try await bench.close()
    }

    @Test("what an image has left beyond the limit is refused")
    func tooLarge() async throws {
        bench.options.maxTotalBytes = 1 << 20
        let script = """
            dd if=/dev/zero of=/opt/slipway/build/large bs=65536 count=32 2>/dev/null
            printf '%s' '\(Self.answer)' >/opt/slipway/job/result.json

            """
        let (id, told) = try await install("slipdemo==1.0", by: script)
        #expect(id == nil)
        #expect(told.contains("environments.max_total"), "\(told)")
        try await bench.close()
    }

    @Test("the cache that all tenants share is no place for an image of one of them")
    func sharedCache() async throws {
        bench.options.pipCache = .shared
        let script = """
            cat /proc/self/mountinfo >/opt/slipway/build/mounts
            printf '%s' '\(Self.answer)' >/opt/slipway/job/result.json

            """
        let hash = "--hash=sha256:" + String(repeating: "0", count: 64)
        let (found, told) = try await install("slipdemo==1.0 " + hash, by: script)
        let id = try #require(found, "\(told)")
        let path = "\(try await bench.store().path(of: id, runtime: "docker"))/mounts"
        let report = try await bench.rootPython("print(open('\(path)').read())")
        #expect(report.output.contains(" /cache "), "\(report.output)")
        let shared = DockerEnvironmentBuilder.sharedCacheVolume(engineID: bench.engineID)
        #expect(!report.output.contains(shared), "\(report.output)")
        #expect(try await bench.client.inspectVolume(shared) == nil)
        try await bench.close()
    }
}
