import Foundation
import SlipwayCore
import Synchronization
import Testing
import TestSupport

@Suite("Containers on a live engine", .enabled("no container engine answers", LiveEngine.answers))
struct DockerContainerTests {
    let client: DockerClient

    init() throws { client = try LiveEngine.client() }

    @Test("version, info and ping agree on a usable engine")
    func versionAndInfo() async throws {
        try await client.ping()
        let negotiated = try await client.apiVersion()
        #expect(negotiated >= .oldest)
        #expect(negotiated <= .newest)
        let version = try await client.version()
        #expect(!version.version.isEmpty)
        let offered = try #require(DockerAPIVersion(version.apiVersion))
        #expect(negotiated == min(offered, .newest))
        let info = try await client.info()
        #expect((info.cpuCount ?? 0) > 0)
        #expect(!info.runtimeNames.isEmpty)
    }

    @Test("a container goes through create, start, inspect, kill and remove")
    func lifecycle() async throws {
        let name = LiveEngine.uniqueName("life")
        let labels = ["slipway.engine": name, "slipway.pool": "p=1, \"quoted\""]
        let spec = LiveEngine.spec("exec sleep 600", labels: labels)
        guard case .created(let id, _) = try await client.createContainer(name: name, spec) else {
            Issue.record("the name is taken")
            return
        }
        #expect(try await client.createContainer(name: name, spec) == .nameTaken)
        let created = try #require(try await client.inspectContainer(name))
        #expect(created.id == id)
        #expect(created.name == name)
        #expect(created.labels["slipway.pool"] == labels["slipway.pool"])
        #expect(created.state.status == .created)
        #expect(created.state.processID == 0)

        try await client.startContainer(id)
        try await client.startContainer(id)
        let running = try #require(try await client.inspectContainer(id))
        #expect(running.state.status == .running)
        #expect(running.state.processID > 0)

        let listed = try await client.listContainers(labels: ["slipway.engine": name])
        #expect(listed.map(\.id) == [id])
        #expect(listed.first?.names == [name])
        #expect(listed.first?.status == .running)
        #expect(try await client.listContainers(labels: ["slipway.engine": name, "other": "x"]).isEmpty)

        #expect(try await client.killContainer(id) == .signalled)
        #expect(try await client.waitForContainer(id) == 137)
        #expect(try await client.killContainer(id) == .notRunning)
        #expect(try await client.removeContainer(id))
        #expect(try await client.removeContainer(id) == false)
        #expect(try await client.inspectContainer(id) == nil)
        #expect(try await client.killContainer(id) == .noSuchContainer)
    }

    @Test("a missing image is named")
    func missingImage() async throws {
        let error = await #expect(throws: EngineError.self) {
            try await client.createContainer(
                name: LiveEngine.uniqueName("missing"), ContainerSpec(image: "slipway/none:0"))
        }
        #expect(error?.code == .imageNotFound)
        #expect(error?.message.contains("slipway/none:0") == true)
        #expect(try await client.inspectImage("slipway/none:0") == nil)
    }

    @Test("a command that does not exist fails the start with the engine's words")
    func startFailure() async throws {
        var spec = LiveEngine.spec("")
        spec.entrypoint = ["/no/such/program"]
        try await LiveEngine.withContainer(client, spec, start: false) { id in
            let error = await #expect(throws: EngineError.self) { try await client.startContainer(id) }
            #expect(error?.code == .startFailed)
            #expect(error?.message.contains("/no/such/program") == true)
        }
    }

    @Test("wait returns the exit status, and its cancellation ends only the wait")
    func waiting() async throws {
        try await LiveEngine.withContainer(client, LiveEngine.spec("read line; exit 7", input: .once)) { id in
            let waiting = Task { try await client.waitForContainer(id) }
            let cancelled = Task { try await client.waitForContainer(id) }
            cancelled.cancel()
            let error = await #expect(throws: EngineError.self) { try await cancelled.value }
            #expect(error?.code == .cancelled)
            let attachment = try await client.attach(id)
            try await attachment.write(Array("go\n".utf8))
            #expect(try await waiting.value == 7)
        }
    }

    @Test("limits, mounts and the environment arrive in the container")
    func specArrives() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: LiveEngine.uniqueName("bind")).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("bound".utf8).write(to: URL(filePath: folder + "/file"))
        var spec = LiveEngine.spec(
            "cat /bound/file; echo; touch /bound/x 2>/dev/null || echo ro; df -k /scratch | tail -1 | awk '{print $2}';"
                + "echo \"$GREETING\"; id -u; pwd; hostname; ulimit -n; cat /proc/self/oom_score_adj; grep -c . /etc/hosts"
        )
        spec.mounts = [.bind(source: folder, target: "/bound", isReadOnly: true)]
        spec.tmpfs = ["/scratch": "size=8m,mode=1777"]
        spec.environment = [("GREETING", "h\u{e9}llo = \"wörld\"\n!")]
        spec.user = "1234:1234"
        spec.workingDirectory = "/scratch"
        spec.hostname = "box"
        spec.userLimits = [ContainerSpec.UserLimit(name: "nofile", soft: 99, hard: 99)]
        spec.outOfMemoryScoreAdjustment = 300
        spec.logDriver = .local(limitBytes: 1 << 20)
        spec.nanoCPUs = 500_000_000
        spec.sharedMemoryBytes = 1 << 20
        spec.cgroupNamespaceMode = "private"
        spec.stopSignal = "SIGKILL"
        try await LiveEngine.withContainer(client, spec) { id in
            #expect(try await client.waitForContainer(id) == 0)
            let (output, errors) = try await client.logs(id)
            let lines = String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
            #expect(
                lines.prefix(10) == [
                    "bound", "ro", "8192", "h\u{e9}llo = \"wörld\"", "!", "1234", "/scratch", "box", "99", "300",
                ])
            #expect(errors.isEmpty)
        }
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test("limits change while a container runs, and it can be frozen and thawed")
    func updateAndPause() async throws {
        try await LiveEngine.withContainer(client, LiveEngine.spec("exec sleep 600")) { id in
            try await client.updateContainer(
                id, DockerClient.ResourceUpdate(nanoCPUs: 250_000_000, memoryBytes: 64 << 20, memorySwapBytes: 64 << 20)
            )
            try await client.pauseContainer(id)
            #expect(try await client.inspectContainer(id)?.state.status == .paused)
            try await client.unpauseContainer(id)
            try await client.unpauseContainer(id)
            #expect(try await client.inspectContainer(id)?.state.status == .running)
            let error = await #expect(throws: EngineError.self) {
                try await client.updateContainer("slipway-test-none", DockerClient.ResourceUpdate(nanoCPUs: 1))
            }
            #expect(error?.dockerStatus == 404)
        }
    }

    @Test("a container that an absent engine keeps from being removed goes when the engine is back")
    func discard() async throws {
        let folder = try TemporaryFolder()
        let proxy = SocketProxy(
            path: folder.path + "/docker.sock", target: try #require(ContainerEngine.socketPath))
        try proxy.start()
        let client = DockerClient(endpoint: DockerEndpoint(address: .unix(path: proxy.path)))
        let name = LiveEngine.uniqueName("discard")
        _ = try await client.createContainer(name: name, LiveEngine.spec("exec sleep 600"))
        try await client.startContainer(name)
        proxy.stop()
        let failure = Mutex<EngineError.Code?>(nil)
        await client.discard(name) { error in failure.withLock { $0 = (error as? EngineError)?.code } }
        #expect(failure.withLock { $0 } == .containerEngineUnavailable)
        await client.settleDiscards(within: .milliseconds(300))
        #expect(try await self.client.inspectContainer(name)?.state.status == .running)
        try proxy.start()
        await client.settleDiscards(within: .seconds(20))
        #expect(try await self.client.inspectContainer(name) == nil)
        try await self.client.removeContainer(name)
        await client.shutdown()
    }

    @Test("nothing is left of a container whose creation was cancelled, once it is discarded")
    func cancelledCreate() async throws {
        var names: [String] = []
        for delay in 0..<12 {
            let name = LiveEngine.uniqueName("cancelled")
            let task = Task { try await client.createContainer(name: name, LiveEngine.spec("exec sleep 600")) }
            try await Task.sleep(for: .milliseconds(delay * 3))
            task.cancel()
            _ = await task.result
            await client.discard(name) { Issue.record("\($0)") }
            names.append(name)
        }
        try await Task.sleep(for: .seconds(1))
        for name in names {
            #expect(try await client.inspectContainer(name) == nil)
            try await client.removeContainer(name)
        }
    }

    @Test("many containers are handled at once over few connections")
    func concurrency() async throws {
        let label = LiveEngine.uniqueName("many")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let spec = LiveEngine.spec("exec sleep 600", labels: ["slipway.engine": label])
                    let status = try await LiveEngine.withContainer(client, spec) { id in
                        try await client.inspectContainer(id)?.state.status
                    }
                    #expect(status == .running)
                }
            }
            try await group.waitForAll()
        }
        #expect(try await client.listContainers(labels: ["slipway.engine": label]).isEmpty)
    }
}
