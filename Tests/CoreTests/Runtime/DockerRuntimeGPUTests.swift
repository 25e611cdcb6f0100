import Foundation
import Logging
import SlipwayCore
import Testing

/// What a sandbox's container is created with, as an engine that records it sees it.
@Suite struct DockerRuntimeGPUTests {
    private func created(_ sandboxClass: SandboxClass, mps: MPSService? = nil) async throws -> JSONValue {
        let engine = try StubEngine { connection, line, _ in
            if line.contains("/containers/create") {
                connection.respond(status: "201 Created", #"{"Id":"abc","Warnings":[]}"#)
            } else if line.contains("/start") {
                connection.respond(status: "204 No Content")
            } else {
                let pid = ProcessInfo.processInfo.processIdentifier
                let body = #"{"Id":"abc","Name":"/n","State":{"Status":"running","Pid":\#(pid)},"Config":{}}"#
                connection.respond(body)
            }
            return true
        }
        var options = DockerRuntime.Options(
            engineID: "e", runnerFolder: "/opt/r", environmentsFolder: nil, heartbeatSeconds: 1,
            reconnectSeconds: 1, seccompProfile: nil)
        options.mps = mps
        let runtime = DockerRuntime(client: engine.client(), options: options, logger: Logger(label: "test"))
        _ = try await runtime.start(
            SandboxSpecification(
                id: SandboxID(), sandboxClass: sandboxClass, socketFolder: "/tmp/s", userIDs: [1000, 1001, 1002]))
        let request = try #require(engine.requests.first { $0.line.contains("/containers/create") })
        return try JSONValue(parsing: request.body)
    }

    private func sandboxClass(_ gpus: GPUNeed?) -> SandboxClass {
        SandboxClass(
            runtime: "docker", image: "i", imageID: "sha256:1", cpus: 1, memoryBytes: 1 << 28, pids: 64,
            tmpBytes: 1 << 24, shmBytes: 1 << 24, openFiles: 256, network: "none", gpus: gpus)
    }

    @Test func grantedDevicesAreAskedForOneByOne() async throws {
        var need = GPUNeed(tenant: .default, count: 2)
        need.granted = ["GPU-aa", "GPU-bb"]
        let body = try await created(sandboxClass(need))
        let expected: JSONValue = [
            ["Driver": "nvidia", "DeviceIDs": ["GPU-aa", "GPU-bb"], "Capabilities": [["gpu"]]]
        ]
        #expect(body["HostConfig"]?["DeviceRequests"] == expected)
        // The driver's hook sets what the container sees.
        #expect(body["Env"] == ["GLIBC_TUNABLES=glibc.malloc.hugetlb=1"])
        #expect(body["HostConfig"]?["ReadonlyRootfs"] == true && body["HostConfig"]?["CapDrop"] == ["ALL"])
    }

    @Test func aPartOfADeviceComesWithItsMPSDaemon() async throws {
        var settings = Configuration.GPUs.MPS()
        settings.pipeDirectory = "/run/mps/pipes"
        settings.shmDirectory = "/run/mps/shm"
        let mps = MPSService(settings, environment: [:])
        var part = GPUNeed(tenant: .default, count: 1, memoryBytes: 8 << 30)
        part.granted = ["GPU-aa"]
        let body = try await created(sandboxClass(part), mps: mps)
        let mounts = body["HostConfig"]?["Mounts"]?.elements ?? []
        func source(_ target: String) -> JSONValue? { mounts.first { $0["Target"]?.text == target }?["Source"] }
        #expect(source("/opt/slipway/mps") == "/run/mps/pipes/GPU-aa")
        #expect(source("/dev/shm") == "/run/mps/shm/GPU-aa")
        // The other devices' daemons, which serve other tenants, are not there.
        #expect(mounts.allSatisfy { !["/run/mps/pipes", "/run/mps/shm"].contains($0["Source"]?.text) })
        let argument = try #require(body["Cmd"]?.elements.last?.text)
        #expect(try JSONValue(parsing: Array(argument.utf8))["shared"] == ["/dev/shm", "/opt/slipway/mps"])
        #expect(body["HostConfig"]?["IpcMode"] == "private")
        var whole = GPUNeed(tenant: .default, count: 1)
        whole.granted = ["GPU-aa"]
        let plain = try await created(sandboxClass(whole), mps: mps)
        #expect(plain["HostConfig"]?["Mounts"]?.elements.count == mounts.count - 2)
        #expect(plain["Cmd"]?.elements.last?.text?.contains("shared") == false)
    }

    @Test func withoutAGrantAnImageGetsNoDevice() async throws {
        let body = try await created(sandboxClass(nil))
        #expect(body["HostConfig"]?["DeviceRequests"] == nil)
        // Images that are made for GPUs ask for all of them where the engine's default runtime is NVIDIA's.
        #expect(body["Env"] == ["GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "NVIDIA_VISIBLE_DEVICES=void"])
    }
}

extension JSONValue {
    fileprivate var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }
}
