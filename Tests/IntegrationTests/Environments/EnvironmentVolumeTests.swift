import Foundation
import SlipwayCore
import Testing

/// Environments that lie in a volume, as on an engine that mounts no folder of this machine.
@Suite(
    "Environments in a volume", .enabled("no container engine answers", LiveEngine.answers), .serialized)
struct EnvironmentVolumeTests {
    let bench: EnvironmentBench

    init() throws {
        bench = try EnvironmentBench()
        try bench.goOffline()
        bench.use(.volume)
    }

    /// Everything that the volume holds: names, modes, owners, sizes and contents.
    private func contents() async throws -> String {
        let code = """
            import hashlib, os
            root = "\(DockerRuntime.environmentsTarget)"
            print(".", oct(os.stat(root).st_mode))
            for folder, folders, files in sorted(os.walk(root)):
                for name in sorted(folders + files):
                    path = os.path.join(folder, name)
                    status = os.lstat(path)
                    text = open(path, "rb").read() if os.path.isfile(path) and not os.path.islink(path) else b""
                    print(os.path.relpath(path, root), oct(status.st_mode), status.st_uid, status.st_gid,
                          hashlib.sha256(text).hexdigest(), os.path.islink(path) and os.readlink(path))
            """
        let found = try await bench.rootPython(code)
        #expect(found.status == 0, "\(found.output)")
        return found.output
    }

    private func need(_ requirements: [String], of tenant: String) async throws -> EnvironmentNeed {
        var need = try await bench.need(requirements)
        need.tenant = try #require(TenantID(tenant))
        return need
    }

    @Test("code of a package finds no other environment in its builder, and changes none by what it leaves")
    func hostilePackage() async throws {
        let store = try await bench.store()
        let victim = try await store.provide(try await need(["slipdemo==1.0"], of: "victim"), groupID: 60_002)
        let before = try await contents()
        let backend = """
            import os, subprocess
            def build_wheel(folder, *_):
                target = "/opt/slipway/build"
                victim = "\(victim)"
                report = [line.split()[3:5] for line in open("/proc/self/mountinfo")]
                for root, folders, files in os.walk("/opt"):
                    report += [os.path.join(root, name) for name in folders + files if "\(victim)" in name]
                for place in ("/opt/slipway/env", "/opt/slipway/build/..", "/opt/slipway/build/../env"):
                    for action in (os.listdir, lambda path: os.mkdir(path + "/planted")):
                        try:
                            report.append(["allowed", place, action(place)])
                        except OSError as error:
                            report.append([type(error).__name__, place])
                try:
                    mounted = subprocess.run(["mount", "--bind", "/opt", "/tmp"], capture_output=True).returncode
                except OSError as error:
                    mounted = error
                report.append(["mounted", mounted])
                os.symlink("../" + victim, target + "/neighbour")
                os.symlink("../" + victim + "/slipdemo/__init__.py", target + "/file")
                os.symlink("/opt/slipway/env/" + victim, target + "/absolute")
                os.symlink("..", target + "/up")
                with open(target + "/first", "w") as file:
                    file.write("x")
                os.link(target + "/first", target + "/second")
                os.mkdir(target + "/" + victim)
                return wheel(folder, {"slipspy.py": "report = " + repr(report)})
            """
        try WheelFolder.addSource("slipspy", backend: backend, to: bench.data + "/wheels")
        let id = try await store.provide(try await need(["slipspy"], of: "spy"), groupID: 60_003)
        let told = try await bench.python(
            "import sys; sys.path.insert(0, '\(store.path(of: id, runtime: "docker"))'); import slipspy\n"
                + "for line in slipspy.report: print(*line)", group: 60_003, root: store.rootFolder
        ).output
        #expect(told.contains("/opt/slipway/build"), "\(told)")
        #expect(!told.contains(bench.volume), "\(told)")
        #expect(told.contains("FileNotFoundError /opt/slipway/env\n"), "\(told)")
        #expect(!told.contains("None"), "\(told)")
        #expect(!told.contains("mounted 0"), "\(told)")
        #expect(!told.contains(victim), "\(told)")
        // What it left is its own, and nothing of the other environment was touched.
        let after = try await contents()
        let others = after.split(separator: "\n").filter { !$0.hasPrefix(id) }
        #expect(others == before.split(separator: "\n"), "\(after)")
        #expect(after.contains("\(id)/neighbour 0o120777 0 60003"), "\(after)")
        let through = try await bench.python(
            """
            import os
            for name in ("neighbour/slipdemo/__init__.py", "file", "absolute/slipdemo/__init__.py", "up"):
                path = "\(store.path(of: id, runtime: "docker"))/" + name
                try:
                    print("allowed", os.listdir(path) if name == "up" else open(path).read())
                except OSError as error:
                    print(type(error).__name__)
            """, group: 60_003, root: store.rootFolder)
        #expect(through.output == String(repeating: "PermissionError\n", count: 4), "\(through.output)")
        try await bench.close()
    }

    @Test("an image that lies, and is root in the builder, reaches no other environment")
    func hostileImage() async throws {
        let store = try await bench.store()
        let victim = try await store.provide(try await need(["slipdemo==1.0"], of: "victim"), groupID: 60_002)
        let before = try await contents()
        let script = """
            #!/bin/sh
            b=/opt/slipway/build
            cat /proc/self/mountinfo >$b/mounts
            id >$b/id
            find / -path /proc -prune -o -name '*\(victim)*' -print >/tmp/found 2>/dev/null
            cat /tmp/found >$b/found
            ls -a /opt/slipway >>$b/found
            ln -s ../\(victim)/slipdemo $b/link
            printf x >$b/setuid && chmod 6777 $b/setuid && mkfifo $b/pipe
            ln -s $b/../env/\(victim)/slipdemo/__init__.py /opt/slipway/job/result.json.tmp
            printf '{"ok": true, "bytes": 1, "versions": {"lie": "1"}}' >/opt/slipway/job/result.json
            """
        let image = try await bench.image(replacing: "/usr/local/bin/python3", by: script)
        var wanted = try await need(["slipdemo==2.0"], of: "spy")
        let details = try #require(try await bench.client.inspectImage(image))
        wanted.image = ResolvedImage(reference: image, digest: details.id)
        let id = try await store.provide(wanted, groupID: 60_003)
        let after = try await contents()
        #expect(after.split(separator: "\n").filter { !$0.hasPrefix(id) } == before.split(separator: "\n"), "\(after)")
        #expect(after.contains("\(id)/setuid 0o100550 0 60003"), "\(after)")
        #expect(!after.contains("\(id)/pipe"), "\(after)")
        #expect(try #require(store.list().first { $0.id == id }).bytes > 4096, "its own count is not believed")
        let report = try await bench.rootPython(
            "for name in 'id', 'mounts', 'found': print(open('\(store.path(of: id, runtime: "docker"))/' + name).read())"
        )
        #expect(report.output.contains("uid=0(root)"), "\(report.output)")
        #expect(report.output.contains(" /opt/slipway/build "), "\(report.output)")
        #expect(!report.output.contains(bench.volume), "\(report.output)")
        #expect(!report.output.contains(victim), "\(report.output)")
        try await bench.client.removeImage(image)
        try await bench.close()
    }

    @Test("what is larger than it looks is refused before it fills the volume")
    func holes() async throws {
        let backend = """
            import os
            def build_wheel(folder, *_):
                with open("/opt/slipway/build/hole", "w") as file:
                    os.ftruncate(file.fileno(), 1 << 42)
                return wheel(folder, {"sliphole.py": ""})
            """
        try WheelFolder.addSource("sliphole", backend: backend, to: bench.data + "/wheels")
        let store = try await bench.store()
        let error = try await bench.failure(store, try await bench.need(["sliphole"]))
        #expect(error.message.contains("environments.max_total"), "\(error.message)")
        #expect(try await !contents().contains("hole"))
        #expect(try await bench.volumes()["build"] == nil)
        try await bench.close()
    }

    @Test("after a restart whole environments serve; torn ones, and those that the volume lost, do not")
    func restart() async throws {
        let first = try await bench.store()
        let whole = try await first.provide(try await bench.need(["slipdemo==1.0"]), groupID: 60_001)
        let lost = try await first.provide(try await bench.need(["slipdemo==2.0"]), groupID: 60_001)
        let torn = String(repeating: "ab", count: 12)
        let change = try await bench.rootPython(
            """
            import os, shutil
            os.chdir("\(DockerRuntime.environmentsTarget)")
            shutil.rmtree("\(lost)")
            os.makedirs("\(torn)/deep/folder")
            os.mkdir("\(torn).tmp-12345678")
            os.mkdir("lost+found")
            """)
        #expect(change.status == 0, "\(change.output)")
        // As after a kill in the middle: a builder that still runs, and the volume that it fills.
        var spec = LiveEngine.spec("exec sleep 600")
        spec.labels = ["slipway.engine": bench.engineID, "slipway.role": "builder"]
        let draft = LiveEngine.uniqueName("draft")
        try await bench.client.createVolume(
            name: draft, labels: ["slipway.engine": bench.engineID, "slipway.role": "build"])
        spec.mounts = [.volume(name: draft, target: "/draft", isReadOnly: false)]
        let builder = LiveEngine.uniqueName("builder")
        _ = try await bench.client.createContainer(name: builder, spec)
        try await bench.client.startContainer(builder)

        let second = try await bench.store()
        #expect(second.installed(try await bench.need(["slipdemo==1.0"])) == nil, "not before the volume was looked at")
        try await second.reconcile()
        #expect(try await bench.containers().isEmpty)
        #expect(try await bench.volumes()["build"] == nil)
        #expect(second.installed(try await bench.need(["slipdemo==1.0"])) == whole)
        #expect(second.installed(try await bench.need(["slipdemo==2.0"])) == nil)
        let there = try await contents()
        #expect(!there.contains(torn), "\(there)")
        #expect(there.contains("lost+found"), "what is none of ours stays")
        #expect(try await second.provide(try await bench.need(["slipdemo==2.0"]), groupID: 60_001) == lost)
        // Without a reconciliation first, as for a job that comes at once.
        let third = try await bench.store()
        let heard = HeardText()
        let need = try await bench.need(["slipdemo==2.0"])
        #expect(try await third.provide(need, groupID: 60_001) { heard.take($0) } == lost)
        #expect(heard.text.isEmpty, "nothing was built: \(heard.text)")
        try await bench.close()
    }

    @Test("a volume that somebody removed is noticed, and what was in it is installed again")
    func removed() async throws {
        let store = try await bench.store()
        let need = try await bench.need(["slipdemo==1.0"])
        let id = try await store.provide(need, groupID: 60_001)
        let size = try #require(store.list().first).bytes
        #expect(try await bench.client.removeVolume(bench.volume))
        // A sandbox of this moment would make the engine create another one.
        _ = try await bench.rootPython("pass")
        try await store.reconcile()
        #expect(store.installed(need) == nil)
        #expect(store.list().isEmpty)
        #expect(try await store.provide(need, groupID: 60_001) == id)
        #expect(store.list().map(\.bytes) == [size])
        #expect(await store.prune(maxTotalBytes: 0).map(\.id) == [id])
        #expect(try await !contents().contains(id))
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder).isEmpty)
        try await bench.client.removeVolume(bench.volume)
        try await bench.close()
    }

    @Test("wheels are sent once; a changed folder of them is sent again, and the old volume goes")
    func wheels() async throws {
        let store = try await bench.store()
        _ = try await store.provide(try await bench.need(["slipdemo==1.0"]), groupID: 60_001)
        let first = try await bench.volumes()
        _ = try await store.provide(try await bench.need(["slipdemo==2.0"]), groupID: 60_001)
        #expect(try await bench.volumes()["wheels"] == first["wheels"])
        let long = String(repeating: "long", count: 30)
        try WheelFolder.addSource(
            long, backend: "def build_wheel(folder, *_): return wheel(folder, {'\(long).py': 'x = 1'})",
            to: bench.data + "/wheels")
        let id = try await store.provide(try await bench.need([long]), groupID: 60_001)
        #expect(try await contents().contains("\(id)/\(long).py 0o100440 0 60001"))
        try await store.reconcile()
        let last = try await bench.volumes()
        #expect(last["wheels"]?.count == 1)
        #expect(last["wheels"] != first["wheels"])
        #expect(last["builder"] == first["builder"])
        try await bench.close()
    }
}
