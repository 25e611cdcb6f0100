import Foundation
import SlipwayCore
import TestSupport
import Testing

/// Gives a suite an engine behind TLS, which is ended with it.
struct RemoteEngineTrait: SuiteTrait, TestScoping {
    @TaskLocal static var current: RemoteEngine?

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let engine = try await RemoteEngine.start()
        do {
            try await Self.$current.withValue(engine) { try await function() }
        } catch {
            try await engine.stop()
            throw error
        }
        try await engine.stop()
    }
}

extension Trait where Self == RemoteEngineTrait {
    static var remoteEngine: Self { RemoteEngineTrait() }
}

extension LiveSandboxes {
    /// Engines that are reached over the network, which share no folder with this machine.
    @Suite(
        "Remote engines", .serialized,
        .enabled("no second engine can be started here", { RemoteEngine.isPossible }), .remoteEngine)
    struct RemoteEngineTests {
        var remote: RemoteEngine {
            get throws { try #require(RemoteEngineTrait.current) }
        }

        func start(
            in folder: TemporaryFolder? = nil, _ tweak: (inout Configuration) -> Void = { _ in }
        ) async throws -> TestEngine {
            let settings = try remote.settings
            return try await TestEngine.start("docker", in: folder) {
                $0.docker = settings
                $0.pools.defaults.max = 1
                tweak(&$0)
            }
        }

        /// What of an engine is left there, volumes included.
        func left(_ engine: TestEngine) async throws -> (containers: [ContainerSummary], volumes: [String]) {
            try await remote.withClient { client in
                let labels = [DockerRuntime.engineLabel: engine.engineID]
                return (
                    try await client.listContainers(labels: labels),
                    try await client.listVolumes(labels: labels).map(\.name)
                )
            }
        }

        @Test("tasks run over TLS; what they need is in a volume, and nothing of this machine is mounted")
        func tasks() async throws {
            let engine = try await start()
            let outcome = try await engine.run(source: "def main(a): return a[::-1]", args: ["\u{FE}x"])
            #expect(outcome.value == "x\u{FE}", "\(outcome.summary)")
            let large = String(repeating: "0123456789abcde\u{FE}", count: 300_000)
            let big = try await engine.run(source: "def main(a): return a + a", args: [.string(large)])
            #expect(big.value?.text == large + large)
            let warm = try await engine.run(source: "def main(): return 1")
            #expect(warm.job.start == .warm)
            let sandbox = try #require(warm.job.sandbox)
            let body = try await HTTPClient(.unix(try remote.socketPath)).send(
                "GET", "/containers/slipway-\(sandbox)/json")
            let details = try JSONValue(parsing: body.body)
            guard case .array(let mounts)? = details["Mounts"] else {
                Issue.record("no mounts: \(body.text.prefix(300))")
                return
            }
            #expect(mounts.allSatisfy { $0["Type"] == "volume" && $0["RW"] == .bool(false) }, "\(mounts)")
            #expect(details["HostConfig"]?["LogConfig"]?["Type"] == "none")
            try await engine.shutdownLeavingNothing()
            let rest = try await left(engine)
            #expect(rest.containers.map(\.names) == [])
            #expect(rest.volumes.contains { $0.hasPrefix("slipway-runner-") }, "it is kept for the next start")
        }

        @Test("the runner is uploaded once; a volume of another version goes, one that somebody removed comes back")
        func volumes() async throws {
            let first = try await start()
            #expect(try await first.run(source: "def main(): return 1").value == 1)
            let name = try #require(try await left(first).volumes.first { $0.hasPrefix("slipway-runner-") })
            let labels = [DockerRuntime.engineLabel: first.engineID, "slipway.role": "runner"]
            try await remote.withClient { _ = try await $0.createVolume(name: "slipway-runner-old", labels: labels) }
            try await first.shutdownLeavingNothing()
            let created = try await remote.withClient { try await $0.inspectVolume(name) }
            let second = try await start(in: first.folder)
            #expect(try await second.run(source: "def main(): return 2").value == 2)
            #expect(try await left(second).volumes.filter { $0.hasPrefix("slipway-runner-") } == [name])
            #expect(try await remote.withClient { try await $0.inspectVolume(name) }?.mountpoint == created?.mountpoint)
            try await second.shutdownLeavingNothing()
            #expect(try await remote.withClient { try await $0.removeVolume(name) })
            let third = try await start(in: first.folder)
            #expect(try await third.run(source: "def main(): return 3").value == 3)
            try await third.shutdownLeavingNothing()
        }

        @Test("an engine that is stopped hands over what runs, and the next one takes it back")
        func handedOver() async throws {
            let first = try await start { $0.jobs.drainTimeout = .milliseconds(100) }
            let code = """
                import time
                def main():
                    for i in range(30):
                        print(i, flush=True)
                        time.sleep(0.1)
                    return "whole"
                """
            let job = try await first.engine.submit(JobRequest(task: .source(code)))
            try await waitUntil("the task is up") { try await first.logs(job.id).contains("2\n") }
            await first.engine.shutdown()
            let second = try await start(in: first.folder)
            let outcome = try await second.end(of: job.id)
            #expect(outcome.value == "whole", "\(outcome.summary)")
            #expect(outcome.job.attempt == 1)
            #expect(try await second.logs(job.id) == (0..<30).map { "\($0)\n" }.joined())
            try await second.shutdownLeavingNothing()
            #expect(try await left(second).containers.map(\.names) == [])
        }

        @Test("a wrong setting is named", arguments: RemoteMistake.all)
        func mistake(_ mistake: RemoteMistake) async throws {
            var docker = try remote.settings
            mistake.change(&docker, try remote)
            let client = DockerClient(endpoint: try DockerEndpoint.resolve(docker, environment: [:]))
            do {
                try await client.ping()
                Issue.record("it answered")
            } catch let error as EngineError {
                #expect(error.code == .containerEngineUnavailable, "\(error.code): \(error.message)")
                #expect(error.message.contains(mistake.words), "\(error.message)")
                #expect(error.message.contains(try #require(docker.host)), "\(error.message)")
            }
            await client.shutdown()
        }

        @Test("DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH are honoured; doctor looks at the way there")
        func variables() async throws {
            let remote = try remote
            let folder = try TemporaryFolder()
            func doctor(_ variables: [String: String]) async throws -> [String: JSONValue] {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: RunningServer.binary)
                process.arguments = ["doctor", "--deep", "--json"]
                process.environment = [
                    "PATH": "/usr/bin:/bin", "HOME": folder.path, "XDG_DATA_HOME": folder.path + "/data",
                    "XDG_RUNTIME_DIR": folder.path,
                ].merging(variables) { $1 }
                let output = Pipe()
                process.standardOutput = output
                try process.run()
                let reading = output.fileHandleForReading
                let text = try await onThread { Array(reading.readDataToEndOfFile()) }
                guard case .array(let checks)? = try JSONValue(parsing: text)["checks"] else { return [:] }
                return Dictionary(checks.map { ($0["name"]?.text ?? "", $0) }) { first, _ in first }
            }
            var variables = ["DOCKER_HOST": remote.host, "DOCKER_TLS_VERIFY": "1"]
            variables["DOCKER_CERT_PATH"] = remote.folder.path + "/client"
            let sound = try await doctor(variables)
            #expect(sound["container engine"]?["verdict"] == "ok", "\(sound)")
            #expect(sound["engine connection"]?["detail"]?.text?.contains("both sides checked") == true)
            #expect(sound["engine key"]?["verdict"] == "ok")
            #expect(sound["transport"]?["detail"]?.text?.contains("standard input") == true)
            #expect(sound["sandbox"]?["detail"]?.text?.contains("Python 3.") == true, "\(sound)")
            variables["DOCKER_CERT_PATH"] = remote.folder.path + "/stranger"
            let strange = try await doctor(variables)
            #expect(strange["container engine"]?["verdict"] == "fail")
            #expect(strange["container engine"]?["detail"]?.text?.contains("DOCKER_CERT_PATH") == true, "\(strange)")
        }

        @Test("TLS to a port without it is named")
        func noTLS() async throws {
            let proxy = SocketProxy(portTo: try remote.socketPath)
            try proxy.start()
            var docker = try remote.settings
            docker.host = "tcp://127.0.0.1:\(proxy.portNumber)"
            let client = DockerClient(endpoint: try DockerEndpoint.resolve(docker, environment: [:]))
            let error = await #expect(throws: EngineError.self) { try await client.ping() }
            #expect(error?.message.contains("no TLS on this port") == true, "\(error?.message ?? "")")
            await client.shutdown()
        }

        @Test("over plain TCP; away it says so, and it recovers by itself")
        func outage() async throws {
            let proxy = SocketProxy(portTo: try remote.socketPath)
            try proxy.start()
            let server = try RunningServer(dockerHost: "tcp://127.0.0.1:\(proxy.portNumber)")
            try await server.start()
            let task = #"{"task":{"type":"source","code":"def main(): return 1"}}"#
            for round in 0..<2 {
                try await waitUntil("/readyz answers 200") {
                    try await server.client.send("GET", "/readyz").status == 200
                }
                let done = try await server.client.send("POST", "/v1/jobs?wait=60", body: task)
                #expect(try JSONValue(parsing: done.body)["state"] == "completed", "\(round): \(done.text)")
                proxy.stop()
                try await waitUntil("/readyz answers 503") {
                    try await server.client.send("GET", "/readyz").status == 503
                }
                try proxy.start()
            }
            try await waitUntil("/readyz answers 200") { try await server.client.send("GET", "/readyz").status == 200 }
            #expect(try await server.stop() == 0, "\(server.log.suffix(2000))")
        }
    }
}

/// A wrong way to reach the engine, and the words that must name it.
struct RemoteMistake: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let words: String
    let change: @Sendable (inout Configuration.Docker, RemoteEngine) -> Void

    static let all: [RemoteMistake] = [
        RemoteMistake(testDescription: "an authority that did not sign it", words: "docker.tls_ca") { docker, remote in
            docker.tlsCA = remote.file("ca", of: "stranger")
        },
        RemoteMistake(testDescription: "a client that it does not trust", words: "docker.tls_cert") { docker, remote in
            docker.tlsCert = remote.file("cert", of: "stranger")
            docker.tlsKey = remote.file("key", of: "stranger")
        },
        RemoteMistake(testDescription: "no client certificate", words: "docker.tls_cert") { docker, _ in
            docker.tlsCert = nil
            docker.tlsKey = nil
        },
        RemoteMistake(testDescription: "a key of another certificate", words: "docker.tls_key") { docker, remote in
            docker.tlsKey = remote.file("key", of: "stranger")
        },
        RemoteMistake(testDescription: "a certificate that is not there", words: "docker.tls_cert") { docker, _ in
            docker.tlsCert = "/nowhere/cert.pem"
        },
        RemoteMistake(testDescription: "an authority that is not there", words: "docker.tls_ca") { docker, _ in
            docker.tlsCA = "/nowhere/ca.pem"
        },
        RemoteMistake(testDescription: "plain HTTP to a port with TLS", words: "speaks TLS only") { docker, _ in
            docker.tlsCA = nil
            docker.tlsCert = nil
            docker.tlsKey = nil
        },
        RemoteMistake(testDescription: "a port where nobody listens", words: "connection refused") { docker, _ in
            docker.host = "tcp://127.0.0.1:1"
        },
        RemoteMistake(testDescription: "a host that nobody knows", words: "nowhere.invalid") { docker, _ in
            docker.host = "tcp://nowhere.invalid:2376"
        },
    ]
}
