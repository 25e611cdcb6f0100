import Foundation
import Logging
import SlipwayCore
import Testing

/// What a container has for its start alone, as an engine that records it sees it.
@Suite struct DockerRuntimeStartTests {
    /// The processors that a container is created with, and those that it is left with; nil where they stay.
    private func processors(of cpus: Double) async throws -> (created: JSONValue?, left: JSONValue?) {
        let engine = try StubEngine { connection, line, _ in
            if line.contains("/containers/create") {
                connection.respond(status: "201 Created", #"{"Id":"abc","Warnings":[]}"#)
            } else if line.contains("/start") {
                connection.respond(status: "204 No Content")
            } else if line.contains("/update") {
                connection.respond(#"{"Warnings":null}"#)
            } else {
                let pid = ProcessInfo.processInfo.processIdentifier
                connection.respond(
                    #"{"Id":"abc","Name":"/n","State":{"Status":"running","Pid":\#(pid)},"Config":{}}"#)
            }
            return true
        }
        let runtime = DockerRuntime(
            client: engine.client(),
            options: .init(
                engineID: "e", runnerFolder: "/opt/r", environmentsFolder: nil, heartbeatSeconds: 1,
                reconnectSeconds: 1, seccompProfile: nil), logger: Logger(label: "test"))
        let sandboxClass = SandboxClass(
            runtime: "docker", image: "i", imageID: "sha256:1", cpus: cpus, memoryBytes: 1 << 28, pids: 64,
            tmpBytes: 1 << 24, shmBytes: 1 << 24, openFiles: 256, network: "none")
        let started = try await runtime.start(
            SandboxSpecification(
                id: SandboxID(), sandboxClass: sandboxClass, socketFolder: "/tmp/s", userIDs: [1000, 1001, 1002]))
        try await runtime.confine(started.handle, to: sandboxClass)
        let created = try #require(engine.requests.first { $0.line.contains("/containers/create") })
        let updated = engine.requests.first { $0.line.contains("/containers/abc/update") }
        return (
            try JSONValue(parsing: created.body)["HostConfig"]?["NanoCpus"],
            try updated.flatMap { try JSONValue(parsing: $0.body)["NanoCpus"] }
        )
    }

    @Test func aSmallSandboxHasAQuarterOfAProcessorUntilItHasStarted() async throws {
        let small = try await processors(of: 0.01)
        #expect(small.created == 250_000_000 && small.left == 10_000_000)
    }

    @Test func anotherHasFromTheStartWhatItKeeps() async throws {
        let usual = try await processors(of: 0.5)
        #expect(usual.created == 500_000_000 && usual.left == nil)
    }
}
