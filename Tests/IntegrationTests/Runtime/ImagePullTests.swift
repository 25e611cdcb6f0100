import Foundation
import SlipwayCore
import Synchronization
import TestSupport
import Testing

/// Gives a suite a registry, which is ended with it.
struct RegistryTrait: SuiteTrait, TestScoping {
    @TaskLocal static var current: LocalRegistry?

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let registry = try await LocalRegistry.start()
        do {
            try await Self.$current.withValue(registry) { try await function() }
        } catch {
            try await registry.stop()
            throw error
        }
        try await registry.stop()
    }
}

extension Trait where Self == RegistryTrait {
    static var registry: Self { RegistryTrait() }
}

extension LiveSandboxes {
    /// What keeps the tests of this file from being skipped where nobody would see it.
    @Suite("The registry of the tests")
    struct LocalRegistryTests {
        private static let isContinuousIntegration = ProcessInfo.processInfo.environment["CI"] == "1"

        @Test(
            "continuous integration has one wherever it has a container engine",
            .enabled("this is no continuous integration with a container engine") {
                isContinuousIntegration && hasContainers()
            })
        func isThere() {
            #expect(LocalRegistry.isPossible, "there is no docker-registry: scripts/test installs it")
        }
    }

    /// Images that come from a registry.
    @Suite(
        "Pulling images", .serialized,
        .enabled("there is no docker-registry here", { LocalRegistry.isPossible }), .registry)
    struct ImagePullTests {
        private static let one = "def main(): return 1"

        private var registry: LocalRegistry {
            get throws { try #require(RegistryTrait.current) }
        }

        private func start(
            credentials: Bool = true, _ tweak: (inout Configuration) -> Void = { _ in }
        ) async throws -> TestEngine {
            let registry = try registry
            let file = try registry.folder.write("password", LocalRegistry.password + "\n")
            return try await TestEngine.start("docker") {
                $0.pools.defaults.minIdle = 0
                $0.sandbox.imageAllow = ["*", "\(registry.host)/*", "127.0.0.1:1/*"]
                if credentials {
                    var access = RegistryAccess()
                    access.host = registry.host
                    access.username = LocalRegistry.username
                    access.password = .file(file)
                    $0.images.registries = [access]
                }
                tweak(&$0)
            }
        }

        private func messages(_ engine: TestEngine, _ id: JobID) async throws -> [String] {
            try await engine.events(id).filter { $0["type"] == "job_update" }.compactMap { $0["message"]?.text }
        }

        @Test("an image that the engine lacks is pulled once for all who wait, by name and by digest")
        func pulled() async throws {
            let image = try await registry.push("slipway/python:3.11", as: "team/python")
            let engine = try await start()
            let before = try registry.log.split(separator: "\n").count {
                $0.contains("GET /v2/team/python/manifests/1 ")
            }
            var request = JobRequest(task: .source(Self.one))
            request.image = image
            let jobs = try await engine.engine.submit(batch: Array(repeating: request, count: 8))
            for job in jobs {
                let outcome = try await engine.end(of: job.id)
                #expect(outcome.value == 1, "\(outcome.summary)")
            }
            #expect(try await messages(engine, jobs[0].id).contains { $0.hasPrefix("pulling image \(image)") })
            let pulls = try registry.log.split(separator: "\n").count { $0.contains("GET /v2/team/python/manifests/") }
            #expect(pulls - before <= 2, "\(pulls - before) manifests were asked for")
            // What the engine learnt as the digest pins the image from now on.
            let details = try #require(try await ContainerEngine.withClient { try await $0.inspectImage(image) })
            let pinned = try #require(details.digests.first { $0.hasPrefix(try registry.host) })
            try await registry.forget(image)
            let again = try await engine.run(source: Self.one) { $0.image = pinned }
            #expect(again.value == 1, "\(again.summary)")
            let secret = LocalRegistry.password
            for job in jobs {
                for event in try await engine.events(job.id) { #expect(!"\(event)".contains(secret)) }
            }
            #expect(!engine.configuration.render().contains(secret))
            try await engine.shutdownLeavingNothing()
            try await registry.forget(pinned)
        }

        @Test("progress comes in layers and bytes, and is told to those who follow the job")
        func progress() async throws {
            let image = try await registry.pushNoise("team/noise", megabytes: 40)
            let states = Mutex<[PullProgress]>([])
            let file = try registry.folder.write("password", LocalRegistry.password)
            var access = RegistryAccess()
            access.host = try registry.host
            access.username = LocalRegistry.username
            access.password = .file(file)
            let credentials = try RegistryDirectory([access], environment: [:]).credentials(for: access.host)
            try await ContainerEngine.withClient { client in
                try await client.pullImage(image, credentials: credentials, total: .seconds(60), idle: .seconds(30)) {
                    state in states.withLock { $0.append(state) }
                }
            }
            let seen = states.withLock { $0 }
            #expect(seen.contains { $0.doneLayers == 0 && $0.currentBytes > 0 && $0.totalBytes > 40 << 20 })
            #expect(seen.last?.doneLayers == 1)
            #expect(seen.last?.currentBytes == seen.last?.totalBytes)
            try await registry.forget(image)

            let engine = try await start()
            // Nothing can run in it: only the way there counts.
            let outcome = try await engine.run(source: Self.one) {
                $0.image = image
                $0.queueTimeout = .seconds(60)
            }
            #expect(outcome.job.error?.kind == .startFailed, "\(outcome.summary)")
            #expect(try await messages(engine, outcome.job.id).first == "pulling image \(image)")
            try await engine.shutdownLeavingNothing()
            try await registry.forget(image)
        }

        @Test("an image that cannot be had is named, with what to change", arguments: PullRefusal.all)
        func refused(_ refusal: PullRefusal) async throws {
            let engine = try await start(credentials: refusal.credentials) { $0.images.pull = refusal.pull }
            let image = refusal.image.replacingOccurrences(of: "HOST", with: try registry.host)
            let outcome = try await engine.run(source: Self.one) { $0.image = image }
            let message = outcome.job.error?.message ?? ""
            #expect(outcome.job.error?.kind == .startFailed, "\(outcome.summary)")
            #expect(outcome.job.attempt == 0)
            for words in refusal.words + [image] { #expect(message.contains(words), "\(message)") }
            try await engine.shutdownLeavingNothing()
        }

        @Test("wrong credentials are told from missing ones, and Docker's own file is read where none are configured")
        func credentials() async throws {
            let image = try await registry.push("slipway/python:3.11", as: "team/secret")
            let wrong = try registry.folder.write("wrong", "not-the-password")
            let first = try await start { $0.images.registries[0].password = .file(wrong) }
            let refused = try await first.run(source: Self.one) { $0.image = image }
            #expect(
                refused.job.error?.message.contains("credentials in images.registries") == true, "\(refused.summary)")
            try await first.shutdownLeavingNothing()
            let pair = Data("\(LocalRegistry.username):\(LocalRegistry.password)".utf8).base64EncodedString()
            _ = try registry.folder.makeFolder("docker")
            try registry.folder.write("docker/config.json", #"{"auths":{"\#(try registry.host)":{"auth":"\#(pair)"}}}"#)
            let directory = RegistryDirectory([], environment: ["DOCKER_CONFIG": try registry.folder.path + "/docker"])
            let found = try #require(try directory.credentials(for: try registry.host))
            #expect(found.username == LocalRegistry.username)
            try await ContainerEngine.withClient { client in
                try await client.pullImage(
                    image, credentials: found, total: .seconds(60), idle: .seconds(30), progress: { _ in })
            }
            try await registry.forget(image)
            #expect(try directory.credentials(for: "other.example.org") == nil)
        }

        @Test("doctor tries the credentials where the engine is")
        func doctor() async throws {
            let registry = try registry
            func verdict(_ password: String) async throws -> JSONValue? {
                let secret = try registry.folder.write("doctor-password", password)
                let file = try registry.folder.write(
                    "doctor.yaml",
                    """
                    data: {directory: \(registry.folder.path)/doctor}
                    docker: {host: "\(ContainerEngine.host)"}
                    images:
                      registries:
                        - {host: "\(registry.host)", username: \(LocalRegistry.username), password: {file: \(secret)}}
                    """)
                let process = Process()
                process.executableURL = URL(fileURLWithPath: RunningServer.binary)
                process.arguments = ["doctor", "--json", "--config", file]
                process.environment = ["PATH": "/usr/bin:/bin", "HOME": registry.folder.path]
                let output = Pipe()
                process.standardOutput = output
                try process.run()
                let reading = output.fileHandleForReading
                let text = try await onThread { Array(reading.readDataToEndOfFile()) }
                #expect(!String(decoding: text, as: UTF8.self).contains(password))
                guard case .array(let checks)? = try JSONValue(parsing: text)["checks"] else { return nil }
                return checks.first { $0["name"]?.text == "registry \(registry.host)" }?["verdict"]
            }
            #expect(try await verdict(LocalRegistry.password) == "ok")
            #expect(try await verdict("not-the-password") == "fail")
        }

        @Test("a registry that stalls ends the wait by its limit; a cancelled or late job ends the pull at once")
        func stalled() async throws {
            let hole = try BlackHole()
            let image = "127.0.0.1:\(hole.port)/team/python:1"
            let engine = try await start {
                $0.images.pullStall = .seconds(2)
                $0.sandbox.imageAllow.append("127.0.0.1:\(hole.port)/*")
            }
            let began = ContinuousClock.now
            var request = JobRequest(task: .source(Self.one))
            request.image = image
            let job = try await engine.engine.submit(request)
            #expect(began.duration(to: .now) < .seconds(1), "submit waited for the registry")
            let stalled = try await engine.end(of: job.id, within: .seconds(20))
            #expect(stalled.job.error?.message.contains("images.pull_stall") == true, "\(stalled.summary)")
            #expect(stalled.job.error?.message.contains(image) == true)
            try await engine.shutdownLeavingNothing()

            let patient = try await start { $0.sandbox.imageAllow.append("127.0.0.1:\(hole.port)/*") }
            let second = try await patient.engine.submit(request)
            try await waitUntil("the pull has begun") {
                try await patient.engine.job(second.id).state == .queued && hole.open > 0
            }
            try await patient.engine.cancel(second.id)
            #expect(try await patient.end(of: second.id, within: .seconds(5)).job.state == .cancelled)
            try await waitUntil("the engine has given the pull up") { hole.open == 0 }
            request.queueTimeout = .seconds(2)
            let late = try await patient.run(request, within: .seconds(20))
            #expect(late.job.error?.kind == .expired, "\(late.summary)")
            try await waitUntil("the engine has given the pull up") { hole.open == 0 }
            try await patient.shutdownLeavingNothing()
        }

        @Test("the images of declared pools are pulled at the start")
        func declared() async throws {
            let image = try await registry.push("slipway/python:3.11", as: "team/declared")
            let engine = try await start {
                var declared = PoolClass(name: "declared", policy: $0.pools.defaults)
                declared.image = image
                $0.pools.classes = [declared]
            }
            try await waitUntil("the image is there") {
                try await ContainerEngine.withClient { try await $0.inspectImage(image) } != nil
            }
            try await engine.shutdownLeavingNothing()
            try await registry.forget(image)
        }

        @Test("a tag that moves is followed where pull is always")
        func always() async throws {
            let image = try await registry.push("slipway/python-bare:3.11", as: "team/moving")
            let engine = try await start { $0.images.pull = .always }
            #expect(try await engine.run(source: Self.one) { $0.image = image }.value == 1)
            let first = try await ContainerEngine.withClient { try await $0.inspectImage(image) }?.id
            try await engine.shutdownLeavingNothing()
            // The engine still has the old content under the name when the registry has another one.
            let newer = try await registry.push("slipway/python:3.11", as: "team/moving")
            let id = try #require(first)
            try await ContainerEngine.withClient {
                try await $0.tagImage(id, repository: String(newer.dropLast(2)), tag: "1")
            }
            let second = try await start { $0.images.pull = .always }
            #expect(try await second.run(source: Self.one) { $0.image = newer }.value == 1)
            #expect(try await ContainerEngine.withClient { try await $0.inspectImage(newer) }?.id != id)
            try await second.shutdownLeavingNothing()
            try await registry.forget(newer)
            // The engine still has the old content by its digest.
            let host = try registry.host
            let names = try await ContainerEngine.withClient { try await $0.inspectImage(id) }?.digests ?? []
            for name in names where name.hasPrefix(host) { try await registry.forget(name) }
        }
    }
}

/// A port that takes connections and never says a word.
final class BlackHole: Sendable {
    let port: Int
    private let listener: Int32
    private let connections = Mutex<Set<Int32>>([])

    init() throws {
        let made = try SocketAddress.listen(port: 0)
        (listener, port) = (made.descriptor, made.port)
        let listener = made.descriptor
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else { return }
                self.connections.withLock { _ = $0.insert(client) }
                Thread.detachNewThread { [weak self] in
                    var buffer = [UInt8](repeating: 0, count: 4096)
                    while recv(client, &buffer, buffer.count, 0) > 0 {}
                    close(client)
                    self?.connections.withLock { _ = $0.remove(client) }
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// How many connections are open.
    var open: Int { connections.withLock { $0.count } }
}

/// What must be said of an image that cannot be had.
struct PullRefusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// `HOST` stands for the registry.
    let image: String
    let words: [String]
    var credentials = true
    var pull = Configuration.Images.Pull.missing

    static let all: [PullRefusal] = [
        PullRefusal(
            testDescription: "a name that the registry does not know", image: "HOST/team/nowhere:1",
            words: ["has no image", "check its name and tag"]),
        PullRefusal(
            testDescription: "a password is missing", image: "HOST/team/python:1",
            words: ["refuses the image", "images.registries"], credentials: false),
        PullRefusal(
            testDescription: "a registry where nobody listens", image: "127.0.0.1:1/team/python:1",
            words: ["cannot reach the registry 127.0.0.1:1"]),
        PullRefusal(
            testDescription: "pulling is switched off", image: "HOST/team/never:1",
            words: ["does not have the image"], pull: .never),
        PullRefusal(
            testDescription: "an image that is built here and belongs to nobody's registry",
            image: "slipway/not-built:1", words: ["does not have the image"]),
    ]
}
