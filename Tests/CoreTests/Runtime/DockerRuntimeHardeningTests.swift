import Foundation
import Logging
import SlipwayCore
import Testing

/// What keeps an ordinary sandbox in, as an engine that records the create request sees it.
@Suite struct DockerRuntimeHardeningTests {
    private func created(seccompProfile: String? = nil) async throws -> JSONValue {
        let engine = try StubEngine { connection, line, _ in
            if line.contains("/containers/create") {
                connection.respond(status: "201 Created", #"{"Id":"abc","Warnings":[]}"#)
            } else if line.contains("/start") {
                connection.respond(status: "204 No Content")
            } else {
                let pid = ProcessInfo.processInfo.processIdentifier
                connection.respond(
                    #"{"Id":"abc","Name":"/n","State":{"Status":"running","Pid":\#(pid)},"Config":{}}"#)
            }
            return true
        }
        let options = DockerRuntime.Options(
            engineID: "e", runnerFolder: "/opt/r", environmentsFolder: "/srv/env", heartbeatSeconds: 1,
            reconnectSeconds: 1, seccompProfile: seccompProfile)
        let runtime = DockerRuntime(client: engine.client(), options: options, logger: Logger(label: "test"))
        let sandboxClass = SandboxClass(
            runtime: "docker", image: "i", imageID: "sha256:1", cpus: 1, memoryBytes: 1 << 28, pids: 64,
            tmpBytes: 1 << 24, shmBytes: 1 << 24, openFiles: 256, network: "none")
        _ = try await runtime.start(
            SandboxSpecification(
                id: SandboxID(), sandboxClass: sandboxClass, socketFolder: "/tmp/s", userIDs: [1000, 1001, 1002]))
        let request = try #require(engine.requests.first { $0.line.contains("/containers/create") })
        return try JSONValue(parsing: request.body)
    }

    @Test func anOrdinarySandboxIsAskedForWithNoMoreThanThis() async throws {
        let body = try await created()
        #expect(
            body.names == [
                "Cmd", "Entrypoint", "Env", "HostConfig", "Hostname", "Image", "Labels", "Tty", "User", "WorkingDir",
            ])
        // Whatever else opens a container is not there: Privileged, Devices, Binds, PidMode, UsernsMode, VolumesFrom.
        let host = try #require(body["HostConfig"])
        #expect(
            host.names == [
                "CapAdd", "CapDrop", "Init", "IpcMode", "LogConfig", "Memory", "MemorySwap", "Mounts", "NanoCpus",
                "NetworkMode", "PidsLimit", "ReadonlyRootfs", "SecurityOpt", "ShmSize", "Tmpfs", "Ulimits",
            ])
        #expect(body["User"] == "0:0" && body["Tty"] == false)
        #expect(host["CapDrop"] == ["ALL"])
        #expect(host["CapAdd"] == ["SETUID", "SETGID", "KILL"])
        #expect(host["SecurityOpt"] == ["no-new-privileges:true"])
        #expect(host["NetworkMode"] == "none")
        #expect(host["IpcMode"] == "private")
        #expect(host["ReadonlyRootfs"] == true)
    }

    @Test func whatItMayUseIsBounded() async throws {
        let host = try #require(try await created()["HostConfig"])
        #expect(host["PidsLimit"] == 64)
        #expect(host["NanoCpus"] == 1_000_000_000)
        #expect(host["Memory"] == 268_435_456)
        #expect(host["MemorySwap"] == 268_435_456, "swap comes on top of the memory")
        #expect(host["ShmSize"] == 16_777_216)
        let writable: JSONValue = ["/tmp": "rw,nosuid,nodev,exec,mode=1777,size=16777216,nr_inodes=1024"]
        #expect(host["Tmpfs"] == writable)
        let limits: JSONValue = [
            ["Name": "nofile", "Soft": 1024, "Hard": 1024], ["Name": "core", "Soft": 0, "Hard": 0],
        ]
        #expect(host["Ulimits"] == limits)
    }

    @Test func itSeesThreeFoldersOfTheHostAndWritesToNone() async throws {
        let host = try #require(try await created()["HostConfig"])
        let mounts: JSONValue = [
            ["Type": "bind", "Source": "/opt/r", "Target": "/opt/slipway/runner", "ReadOnly": true],
            ["Type": "bind", "Source": "/tmp/s", "Target": "/run/slipway", "ReadOnly": true],
            ["Type": "bind", "Source": "/srv/env", "Target": "/opt/slipway/env", "ReadOnly": true],
        ]
        #expect(host["Mounts"] == mounts)
    }

    @Test func theOperatorsSeccompProfileComesBesideTheRest() async throws {
        let host = try #require(try await created(seccompProfile: "{}")["HostConfig"])
        #expect(host["SecurityOpt"] == ["no-new-privileges:true", "seccomp={}"])
        #expect(host["CapDrop"] == ["ALL"] && host["ReadonlyRootfs"] == true)
    }
}

extension JSONValue {
    /// The names of an object's members, sorted.
    fileprivate var names: [String] {
        if case .object(let members) = self { members.keys.sorted() } else { [] }
    }
}
