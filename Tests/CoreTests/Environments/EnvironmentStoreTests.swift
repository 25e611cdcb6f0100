import Foundation
import Logging
import SlipwayCore
import Testing

@Suite("The environment store")
final class EnvironmentStoreTests {
    let data: String
    var options: EnvironmentOptions
    let builder = StubBuilder()

    init() throws {
        data = NSTemporaryDirectory() + "slipway-env-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        options = EnvironmentOptions(
            configuration: Configuration(), dataFolder: data, engineID: "engine", environment: [:])
    }

    deinit {
        // A temporary folder: what stays is the system's to remove.
        try? FileManager.default.removeItem(atPath: data)
    }

    func open(_ builder: StubBuilder? = nil) async throws -> EnvironmentStore {
        try await EnvironmentStore(
            options: options, builders: [builder ?? self.builder],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("an environment is built once, found at once, and again after a restart")
    func provide() async throws {
        let store = try await open()
        let need = try EnvironmentKeyTests.need()
        #expect(store.installed(need) == nil)
        let id = try await store.provide(need, groupID: 60_001)
        #expect(store.installed(need) == id)
        #expect(try await store.provide(need, groupID: 60_001) == id)
        #expect(builder.counts.withLock { $0.builds } == 1)
        #expect(store.path(of: id, runtime: "docker") == "/seen/" + id)
        #expect(FileManager.default.fileExists(atPath: "\(store.rootFolder)/\(id)/x.py"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: options.workFolder).isEmpty)
        let again = try await open()
        #expect(again.installed(need) == id)
        let manifest = try #require(again.list().first)
        #expect(manifest.versions == ["x": "1"])
        #expect(manifest.tenant == "a")
        #expect(manifest.groupID == 60_001)
        #expect(manifest.log == "done")
    }

    @Test(
        "what was installed is told with its size",
        arguments: [
            (1000, "0 KiB"), (512 << 10, "512 KiB"), (1 << 20, "1.0 MiB"), (72_500 << 10, "70.8 MiB"),
            (3 << 30, "3072.0 MiB"),
        ])
    func summary(_ bytes: Int, _ size: String) async throws {
        let store = try await open()
        _ = try await store.provide(try EnvironmentKeyTests.need(), groupID: 60_001)
        var manifest = try #require(store.list().first)
        manifest.bytes = bytes
        manifest.buildSeconds = 2.54
        #expect(manifest.summary == "Installed x 1 in 2.5 s (\(size))")
    }

    @Test(
        "a builder's output without an end of line is read to its limit only, and told in parts",
        .timeLimit(.minutes(1)))
    func endlessLine() async throws {
        for (size, limit) in [(64 << 20, BuildLog.limitBytes), (100, 1000)] {
            builder.counts.withLock { $0.output = "first\n" + String(repeating: "x", count: size) }
            let heard = Heard()
            _ = try await open().provide(try EnvironmentKeyTests.need(["p\(size)==1"]), groupID: 60_001) {
                heard.take($0)
            }
            #expect(heard.text.hasPrefix("first\n"))
            #expect(heard.text.contains("is left out]\n") == (size > limit))
            #expect(heard.text.utf8.count <= limit)
        }
        builder.counts.withLock { $0.output = "a\nb\n\nlast" }
        let heard = Heard()
        _ = try await open().provide(try EnvironmentKeyTests.need(["q==1"]), groupID: 60_001) { heard.take($0) }
        #expect(heard.text.hasPrefix("a\nb\n\nlast\n"))
    }

    @Test("concurrent callers share one build, and one who gives up does not end it")
    func once() async throws {
        let builder = StubBuilder(isOpen: false)
        let store = try await open(builder)
        let need = try EnvironmentKeyTests.need()
        let impatient = Task { try await store.provide(need, groupID: 60_001) }
        await builder.waitForBuilds(1)
        let others = (0..<20).map { _ in Task { try await store.provide(need, groupID: 60_001) } }
        impatient.cancel()
        await #expect(throws: EngineError.self) { try await impatient.value }
        builder.open()
        var ids: Set<String> = []
        for other in others { ids.insert(try await other.value) }
        #expect(ids.count == 1)
        #expect(builder.counts.withLock { $0.builds } == 1)
    }

    @Test("two builds run at once, no more")
    func limit() async throws {
        let builder = StubBuilder(isOpen: false)
        let store = try await open(builder)
        let needs = try (0..<6).map { try EnvironmentKeyTests.need(["p\($0)==1"]) }
        let all = needs.map { need in Task { try await store.provide(need, groupID: 60_001) } }
        await builder.waitForBuilds(2)
        #expect(builder.counts.withLock { $0.builds } == 2)
        builder.open()
        for one in all { _ = try await one.value }
        #expect(builder.counts.withLock { $0.builds } == 6)
        #expect(builder.counts.withLock { $0.mostRunning } <= 2)
    }

    @Test("a failure reaches the caller, leaves nothing behind, and is tried again after its time")
    func failure() async throws {
        builder.counts.withLock {
            $0.failure = EngineError(.dependency, "no such package")
            $0.output = "ERROR: nothing\n"
        }
        let need = try EnvironmentKeyTests.need()
        options.failureMemory = .seconds(3600)
        let store = try await open()
        for _ in 0..<3 {
            let error = await #expect(throws: EngineError.self) { try await store.provide(need, groupID: 60_001) }
            #expect(error?.code == .dependency)
        }
        #expect(builder.counts.withLock { $0.builds } == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder).isEmpty)
        let heard = Heard()
        await #expect(throws: EngineError.self) {
            try await store.provide(need, groupID: 60_001) { heard.take($0) }
        }
        #expect(heard.text == "ERROR: nothing\n", "from memory, what the installer wrote is told again")
        options.failureMemory = .zero
        let forgetful = try await open()
        for _ in 0..<2 {
            await #expect(throws: EngineError.self) { try await forgetful.provide(need, groupID: 60_001) }
        }
        #expect(builder.counts.withLock { $0.builds } == 3)
    }

    @Test("what a crash left is never used, and removed")
    func leftovers() async throws {
        let need = try EnvironmentKeyTests.need()
        let first = try await open()
        let id = try await first.provide(need, groupID: 60_001)
        let root = first.rootFolder
        let other = String(repeating: "ab", count: 12)
        let manager = FileManager.default
        try manager.createDirectory(atPath: "\(root)/\(other).tmp-1234", withIntermediateDirectories: false)
        try manager.createDirectory(atPath: "\(root)/\(other)", withIntermediateDirectories: false)
        try manager.removeItem(atPath: "\(options.manifestFolder)/\(id).json")
        let store = try await open()
        #expect(store.installed(need) == nil)
        #expect(store.list().isEmpty)
        try await store.reconcile()
        #expect(try manager.contentsOfDirectory(atPath: root).isEmpty)
        #expect(builder.counts.withLock { $0.reconciled } == 1)
        #expect(try await store.provide(need, groupID: 60_001) == id)
    }

    @Test("a folder without a manifest does not keep its environment from being built")
    func halfPublished() async throws {
        let need = try EnvironmentKeyTests.need()
        let first = try await open()
        let id = try await first.provide(need, groupID: 60_001)
        try FileManager.default.removeItem(atPath: "\(options.manifestFolder)/\(id).json")
        let store = try await open()
        #expect(try await store.provide(need, groupID: 60_001) == id)
        #expect(store.installed(need) == id)
    }

    @Test("what was left behind and built again meanwhile is not removed with the leftovers")
    func rebuiltLeftover() async throws {
        let need = try EnvironmentKeyTests.need()
        let first = try await open()
        let id = try await first.provide(need, groupID: 60_001)
        try FileManager.default.removeItem(atPath: "\(options.manifestFolder)/\(id).json")
        let store = try await open()
        #expect(try await store.provide(need, groupID: 60_001) == id)
        // As when the container engine answers late.
        try await store.reconcile()
        #expect(store.installed(need) == id)
        #expect(FileManager.default.fileExists(atPath: "\(store.rootFolder)/\(id)/x.py"))
        #expect(try await open().installed(need) == id)
    }

    @Test("another engine's environments are not used")
    func otherEngine() async throws {
        let need = try EnvironmentKeyTests.need()
        _ = try await open().provide(need, groupID: 60_001)
        options.engineID = "other"
        #expect(try await open().installed(need) == nil)
    }

    @Test("open ranges are resolved again after their time, beside the old ones; pins are not")
    func openRanges() async throws {
        options.openRangeTTL = .zero
        let store = try await open()
        let need = try EnvironmentKeyTests.need(["numpy>=2"])
        let first = try await store.provide(need, groupID: 60_001)
        #expect(store.installed(need) == nil)
        let second = try await store.provide(need, groupID: 60_001)
        #expect(second != first)
        #expect(FileManager.default.fileExists(atPath: "\(store.rootFolder)/\(first)"))
        builder.counts.withLock { $0.failure = EngineError(.dependency, "the index is down") }
        #expect(try await store.provide(need, groupID: 60_001) == second)
        #expect(store.installed(need) == second)
        builder.counts.withLock { $0.failure = nil }
        let pinned = try EnvironmentKeyTests.need(["numpy==2"])
        let id = try await store.provide(pinned, groupID: 60_001)
        #expect(store.installed(pinned) == id)
        let again = try await open()
        #expect(again.list().map(\.id).sorted() == [first, second, id].sorted())
    }

    @Test("pruning removes what was used longest ago and keeps what is in use")
    func prune() async throws {
        let store = try await open()
        var ids: [String] = []
        for name in ["a==1", "b==1", "c==1"] {
            ids.append(try await store.provide(try EnvironmentKeyTests.need([name]), groupID: 60_001))
        }
        _ = store.installed(try EnvironmentKeyTests.need(["a==1"]))
        #expect(await store.prune(maxTotalBytes: 3000).isEmpty)
        #expect(await store.prune(maxTotalBytes: 2000, keeping: [ids[1]]).map(\.id) == [ids[2]])
        #expect(await store.prune(maxTotalBytes: 1000).map(\.id) == [ids[1]])
        #expect(await store.prune(olderThan: .hours(1)).isEmpty)
        #expect(store.list().map(\.id) == [ids[0]])
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder) == [ids[0]])
        let manifests = try FileManager.default.contentsOfDirectory(atPath: options.manifestFolder)
        #expect(manifests == [ids[0] + ".json"])
    }

    @Test("those who wait hear the installer while it works, those who come late from the beginning")
    func listening() async throws {
        let builder = StubBuilder(isOpen: false)
        builder.counts.withLock { $0.output = "Collecting numpy\nhalf a line" }
        let store = try await open(builder)
        let need = try EnvironmentKeyTests.need()
        let (first, second) = (Heard(), Heard())
        let one = Task {
            try await store.provide(need, groupID: 60_001) { first.take($0) }
        }
        await builder.waitForBuilds(1)
        while first.text.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        #expect(first.text == "Collecting numpy\n")
        let building = try #require(store.status(of: need.tenant).first)
        #expect(building.state == .building)
        #expect(building.log == "Collecting numpy\n")
        let two = Task {
            try await store.provide(need, groupID: 60_001) { second.take($0) }
        }
        while second.text.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        builder.open()
        #expect(try await one.value == two.value)
        let told = first.text
        #expect(told.hasPrefix("Collecting numpy\nhalf a line\nInstalled x 1 in "), "\(told)")
        #expect(second.text == told)
    }

    @Test("a build that nobody waits for runs once, and can be seen at once")
    func begin() async throws {
        let builder = StubBuilder(isOpen: false)
        let store = try await open(builder)
        let need = try EnvironmentKeyTests.need()
        store.begin(need, groupID: 60_001)
        store.begin(need, groupID: 60_001)
        #expect(store.status(of: need.tenant).map(\.state) == [.building])
        await builder.waitForBuilds(1)
        builder.open()
        _ = try await store.provide(need, groupID: 60_001)
        store.begin(need, groupID: 60_001)
        #expect(builder.counts.withLock { $0.builds } == 1)
    }

    @Test("a tenant sees its own environments, whatever their state, and nobody else's")
    func status() async throws {
        let store = try await open()
        let ready = try EnvironmentKeyTests.need(["a==1"])
        let id = try await store.provide(ready, groupID: 60_001)
        builder.counts.withLock {
            $0.failure = EngineError(.dependency, "no such package")
            $0.output = "ERROR: nothing\n"
        }
        let failing = try EnvironmentKeyTests.need(["b==1"])
        await #expect(throws: EngineError.self) { try await store.provide(failing, groupID: 60_001) }
        let other = try EnvironmentKeyTests.need(["c==1"], tenant: "b")
        await #expect(throws: EngineError.self) { try await store.provide(other, groupID: 60_002) }
        let mine = store.status(of: ready.tenant)
        #expect(mine.count == 2)
        let good = try #require(mine.first { $0.state == .ready })
        #expect((good.id, good.requirements, good.bytes) == (id, ["a==1"], 1000))
        #expect(good.packages == [EnvironmentPackage(name: "x", version: "1", hashes: ["sha256:ab"])])
        #expect(good.lock == "x==1 \\\n    --hash=sha256:ab\n")
        let bad = try #require(mine.first { $0.state == .failed })
        #expect((bad.requirements, bad.error, bad.log) == (["b==1"], "no such package", "ERROR: nothing\n"))
        #expect(store.status(of: other.tenant).map(\.state) == [.failed])
    }

    @Test("what was just handed out is spared when space is short, and what is in use always")
    func retirement() async throws {
        let store = try await open()
        let need = try EnvironmentKeyTests.need(["a==1"])
        let id = try await store.provide(need, groupID: 60_001)
        var rule = EnvironmentStore.Retirement(maxTotalBytes: 0)
        // Longer than any machine stands still.
        rule.handover = .seconds(86_400)
        #expect(store.retire(rule, keeping: []).isEmpty)
        rule.handover = .zero
        #expect(store.retire(rule, keeping: [id]).isEmpty)
        rule.tenant = TenantID("b")
        #expect(store.retire(rule, keeping: []).isEmpty)
        rule.tenant = need.tenant
        rule.ids = ["another"]
        #expect(store.retire(rule, keeping: []).isEmpty)
        rule.ids = nil
        #expect(store.retire(rule, keeping: []).map(\.id) == [id])
        #expect(store.installed(need) == nil)
        #expect(FileManager.default.fileExists(atPath: "\(store.rootFolder)/\(id)"))
        await store.discard([id])
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.rootFolder).isEmpty)
    }

    @Test("a source tree that changes while it is installed is not kept under the wrong key")
    func changingTree() async throws {
        let folder = data + "/project"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try "x = 1\n".write(toFile: folder + "/a.py", atomically: false, encoding: .utf8)
        var need = try EnvironmentKeyTests.need([])
        need.project = try ProjectTree.read(folder)
        let builder = StubBuilder(isOpen: false)
        let store = try await open(builder)
        let wanted = need
        let build = Task { try await store.provide(wanted, groupID: 60_001) }
        await builder.waitForBuilds(1)
        try "x = 2\n".write(toFile: folder + "/a.py", atomically: false, encoding: .utf8)
        builder.open()
        let error = await #expect(throws: EngineError.self) { try await build.value }
        #expect(error?.message.contains("changed while it was installed") == true)
        need.project = try ProjectTree.read(folder)
        _ = try await store.provide(need, groupID: 60_001)
        #expect(store.status(of: need.tenant).first { $0.state == .ready }?.project == folder)
    }

    @Test("after the shutdown nothing is built")
    func shutdown() async throws {
        let store = try await open()
        await store.shutdown()
        let need = try EnvironmentKeyTests.need()
        let error = await #expect(throws: EngineError.self) { try await store.provide(need, groupID: 60_001) }
        #expect(error?.code == .draining)
    }
}
