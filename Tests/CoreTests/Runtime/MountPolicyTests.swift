import Foundation
import SlipwayCore
import TestSupport
import Testing

/// What a container got compared with what was to be mounted: a child with a root and mounts of its own stands for it.
@Suite("Mount policy")
struct MountPolicyTests {
    /// A process that mounts folders below a root in a namespace of its own, and makes that its root.
    private static let container = """
        import ctypes, os, sys
        libc = ctypes.CDLL(None, use_errno=True)
        def mount(source, target, flags):
            if libc.mount(source.encode(), target.encode(), None, flags, None):
                raise OSError(ctypes.get_errno(), "mount " + target)
        if libc.unshare(0x20000):
            raise OSError(ctypes.get_errno(), "unshare")
        mount("none", "/", 0x44000)
        root, *pairs = sys.argv[1:]
        for source, target in zip(pairs[::2], pairs[1::2]):
            mount(source, root + target, 0x1000)
        os.chroot(root)
        print("ready", flush=True)
        sys.stdin.read()
        """

    /// Runs a test beside such a process.
    private func withContainer(
        _ folder: TemporaryFolder, _ mounts: [(source: String, target: String)],
        _ body: (_ sight: (_ source: String, _ target: String) -> MountPolicy.Sight) throws -> Void
    ) throws {
        var arguments = [folder.path + "/root"]
        for mount in mounts { arguments += [folder.path + mount.source, mount.target] }
        let child = try ChildProcess.pythonHolding(Self.container, arguments)
        defer { child.release() }
        try body { MountPolicy.sight(of: folder.path + $0, at: $1, processID: child.pid) }
    }

    private func isMounted(_ sight: MountPolicy.Sight) -> Bool {
        if case .mounted = sight { return true }
        return false
    }

    private func makeFolders(_ folder: TemporaryFolder) throws {
        for name in ["data/place", "data/other", "secret", "root/a", "root/b c", "root/usr"] {
            _ = try folder.makeFolder(name)
        }
        for name in ["data/file", "root/file"] { try Data().write(to: URL(fileURLWithPath: folder.path + "/" + name)) }
    }

    @Test(
        "folders and files that are mounted are seen, at their own target only",
        .enabled("needs the right to mount file systems") { TinyDisk.isPossible })
    func mounted() throws {
        let folder = try TemporaryFolder()
        try makeFolders(folder)
        let mounts = [
            (source: "/data", target: "/a"), (source: "/data/place", target: "/a/place"),
            (source: "/data/other", target: "/b c"), (source: "/data/file", target: "/file"),
        ]
        try withContainer(folder, mounts) { sight in
            let sights = mounts.map { sight($0.source, $0.target) }
            #expect(sights.allSatisfy(isMounted), "\(sights)")
            // Each is a mount of its own.
            #expect(Set(sights.map { "\($0)" }).count == mounts.count, "\(sights)")
            #expect(sight("/data/other", "/a/place") == .absent, "another folder")
            #expect(sight("/data/other", "/a/other") == .absent, "the same folder, by the mount above it")
            #expect(sight("/secret", "/a/missing") == .absent)
            #expect(sight("/missing", "/a") == .absent)
            #expect(sight("/data", "/usr") == .absent)
            #expect(sight("/data", "/") == .absent)
        }
    }

    @Test(
        "links of the image are not followed, to wherever they lead on the host",
        .enabled("needs the right to mount file systems") { TinyDisk.isPossible })
    func imageLinks() throws {
        let folder = try TemporaryFolder()
        try makeFolders(folder)
        let files = FileManager.default
        try files.createSymbolicLink(atPath: folder.path + "/root/mnt", withDestinationPath: folder.path + "/data")
        try files.createSymbolicLink(atPath: folder.path + "/root/within", withDestinationPath: "/a")
        try withContainer(folder, [(source: "/data", target: "/a")]) { sight in
            #expect(isMounted(sight("/data", "/a")))
            #expect(sight("/data/place", "/mnt/place") == .absent)
            #expect(sight("/data", "/mnt") == .absent)
            #expect(sight("/data", "/within") == .absent)
            #expect(sight("/data/place", "/within/place") == .absent)
        }
    }

    @Test(
        "a source that is a link by now is not what was mounted, although it is the same link inside",
        .enabled("needs the right to mount file systems") { TinyDisk.isPossible })
    func swappedSource() throws {
        let folder = try TemporaryFolder()
        try makeFolders(folder)
        let mounts = [(source: "/data", target: "/a"), (source: "/data/place", target: "/a/place")]
        try withContainer(folder, mounts) { sight in
            #expect(isMounted(sight("/data/place", "/a/place")))
            // In this namespace nothing is mounted there, so it can be renamed.
            let files = FileManager.default
            try files.moveItem(atPath: folder.path + "/data/place", toPath: folder.path + "/data/moved")
            try files.createSymbolicLink(
                atPath: folder.path + "/data/place", withDestinationPath: folder.path + "/secret")
            #expect(sight("/data/place", "/a/place") == .absent, "a link on both sides")
            try files.removeItem(atPath: folder.path + "/data/place")
            try files.createDirectory(atPath: folder.path + "/data/place", withIntermediateDirectories: false)
            #expect(sight("/data/place", "/a/place") == .absent, "a folder on both sides that is no mount")
            #expect(isMounted(sight("/data", "/a")))
        }
        try withContainer(folder, [(source: "/data", target: "/a")]) { sight in
            try FileManager.default.createSymbolicLink(
                atPath: folder.path + "/alias", withDestinationPath: folder.path + "/data")
            #expect(isMounted(sight("/data", "/a")))
            #expect(sight("/alias", "/a") == .absent)
            #expect(sight("/alias/other", "/a/other") == .absent)
        }
    }

    @Test("what cannot be seen is accepted only where no task could have replaced it, and no mount counts twice")
    func verdicts() throws {
        let folder = try TemporaryFolder()
        for name in ["in", "out/place"] { _ = try folder.makeFolder(name) }
        let policy = MountPolicy(
            allow: [folder.path + "/in", folder.path + "/out"], writable: [folder.path + "/out"], protected: [])
        func fault(_ sources: [String], _ sights: [MountPolicy.Sight]) -> EngineError? {
            var left = sights[...]
            let mounts = sources.map {
                SandboxClass.Mount(source: folder.path + $0, target: "/t" + $0, writable: false)
            }
            do { try policy.verify(mounts) { _ in left.popFirst() ?? .absent } } catch { return error as? EngineError }
            return nil
        }
        #expect(fault(["/in", "/out", "/out/place"], [.mounted(id: 1), .mounted(id: 2), .mounted(id: 3)]) == nil)
        #expect(fault(["/in"], [.hidden]) == nil)
        #expect(fault(["/in"], [.absent])?.code == .startFailed)
        #expect(fault(["/in", "/out"], [.mounted(id: 1), .mounted(id: 1)])?.code == .startFailed)
        for source in ["/out", "/out/place"] {
            let hidden = fault([source], [.hidden])
            #expect(hidden?.code == .startFailed && hidden?.message.contains("root") == true, "\(source)")
        }
    }

    @Test("a link that a task puts in the place of an allowed folder does not make what it leads to an allowed one")
    func listedLinks() throws {
        let folder = try TemporaryFolder()
        for name in ["out/listed", "secret/inner", "real"] { _ = try folder.makeFolder(name) }
        let files = FileManager.default
        let (out, secret) = (folder.path + "/out", folder.path + "/secret")
        try files.createSymbolicLink(atPath: folder.path + "/alias", withDestinationPath: folder.path + "/real")
        let allow = [out, out + "/listed", folder.path + "/alias", folder.path + "/later"]
        let early = MountPolicy(allow: allow, writable: [out], protected: [])
        #expect(try early.resolve(source: out + "/listed", writable: true).hasSuffix("/out/listed"))
        #expect(try early.resolve(source: folder.path + "/alias", writable: false).hasSuffix("/real"))
        try files.removeItem(atPath: out + "/listed")
        try files.createSymbolicLink(atPath: out + "/listed", withDestinationPath: secret)
        // The second is what an engine makes of its lists that starts again after the link was put there.
        for policy in [early, MountPolicy(allow: allow, writable: [out], protected: [])] {
            for source in ["/listed", "/listed/inner"] {
                let error = #expect(throws: EngineError.self) {
                    try policy.resolve(source: out + source, writable: false)
                }
                #expect(error?.code == .notAllowed)
            }
        }
        #expect(throws: EngineError.self) { try early.resolve(source: folder.path + "/later", writable: false) }
        _ = try folder.makeFolder("later/inner")
        #expect(try early.resolve(source: folder.path + "/later/inner", writable: false).hasSuffix("/later/inner"))
    }

    @Test("paths are compared as bytes: names that only look alike are others")
    func names() {
        #expect(PathRules.isInside("/data/caf\u{E9}/x", "/data/caf\u{E9}"))
        #expect(!PathRules.isInside("/data/cafe\u{301}/x", "/data/caf\u{E9}"))
        #expect(PathRules.isInside("/data/\u{301}x", "/data"))
        #expect(PathRules.isInside("/data", "/data/"))
        #expect(!PathRules.isInside("/database", "/data"))
        #expect(PathRules.isClean("/data/\u{301}x"))
        #expect(!PathRules.isClean("/data/../\u{301}x"))
        let mounts = ["caf\u{E9}", "cafe\u{301}"].map {
            SandboxClass.Mount(source: "/data/" + $0, target: "/in", writable: false)
        }
        #expect(Set(mounts).count == 2, "sandboxes with the one are none with the other")
    }
}
