import Foundation
import Logging
import SlipwayCore
import TestSupport
import Testing

@Suite("Docker client on Podman's socket")
struct DockerClientPodmanTests {
    private static let limits =
        #""Ulimits":[{"Hard":32768,"Name":"nproc","Soft":32768},{"Hard":16384,"Name":"nofile","Soft":16384}]"#

    /// Podman in few words; it says that its filter of system calls is in `profile`.
    private func podman(
        profile: String = "",
        _ answer: @escaping @Sendable (StubServer.Connection, Int) -> Void = { connection, _ in
            connection.respond(status: "201 Created", #"{"Id":"abc","Warnings":[]}"#)
        }
    ) throws -> StubEngine {
        try StubEngine(headers: "Libpod-Api-Version: 4.3.1\r\n") { connection, line, number in
            if line.contains("/info") {
                connection.respond(#"{"host":{"security":{"seccompProfilePath":"\#(profile)"}}}"#)
            } else {
                answer(connection, number)
            }
            return true
        }
    }

    private func body(_ engine: StubEngine) throws -> JSONValue {
        try JSONValue(parsing: try #require(engine.requests.last).body)
    }

    @Test("a log driver that it lacks is replaced, and it is told limits that any service can set")
    func createBody() async throws {
        let engine = try podman()
        let client = engine.client()
        var spec = ContainerSpec(image: "i")
        spec.logDriver = .local(limitBytes: 9)
        _ = try await client.createContainer(name: "a", spec)
        let first = String(decoding: try #require(engine.requests.last).body, as: UTF8.self)
        #expect(first.contains(#""LogConfig":{"Config":{"max-size":"9"},"Type":"k8s-file"}"#), "\(first)")
        #expect(first.contains(Self.limits), "\(first)")
        spec.logDriver = ContainerSpec.LogDriver.none
        spec.userLimits = [.init(name: "nofile", soft: 5, hard: 6)]
        _ = try await client.createContainer(name: "b", spec)
        let second = String(decoding: try #require(engine.requests.last).body, as: UTF8.self)
        #expect(second.contains(#""LogConfig":{"Config":{},"Type":"none"}"#), "\(second)")
        let nproc = #"{"Hard":32768,"Name":"nproc","Soft":32768}"#
        #expect(second.contains(#""Ulimits":[{"Hard":6,"Name":"nofile","Soft":5},\#(nproc)]"#), "\(second)")
    }

    @Test("what it would take and ignore is refused with what to change")
    func ignoredOptions() async throws {
        let engine = try podman()
        var spec = ContainerSpec(image: "i")
        spec.runtime = "runsc"
        let runtime = await #expect(throws: EngineError.self) {
            try await engine.client().createContainer(name: "a", spec)
        }
        #expect(runtime?.code == .startFailed)
        #expect(runtime?.message.contains("runtime.oci_runtime") == true)
        spec.runtime = nil
        spec.deviceRequests = [ContainerSpec.DeviceRequest(driver: "nvidia", deviceIDs: ["0"])]
        let devices = await #expect(throws: EngineError.self) {
            try await engine.client().createContainer(name: "a", spec)
        }
        #expect(devices?.code == .startFailed)
        #expect(devices?.message.contains("GPU") == true)
        #expect(engine.requests.isEmpty)
    }

    @Test("its filter of system calls is narrowed, and given to it as a file")
    func filter() async throws {
        let folder = try TemporaryFolder()
        let profile = try folder.write(
            "own.json",
            """
            {"defaultAction":"SCMP_ACT_ERRNO","archMap":[],"syscalls":[
            {"names":["clone","clone3","mount","read","setns","unshare"],"action":"SCMP_ACT_ALLOW"},
            {"names":["keyctl"],"action":"SCMP_ACT_ALLOW"},
            {"names":["setns","bpf"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}
            """)
        let engine = try podman(profile: profile)
        let client = engine.client { $0.seccompFolder = folder.path + "/made" }
        for name in ["a", "b"] { _ = try await client.createContainer(name: name, ContainerSpec(image: "i")) }
        #expect(engine.requests.map { $0.line.contains("GET /v4.3.1/libpod/info ") } == [true, false, false])
        let path = folder.path + "/made/engine.json"
        #expect(try body(engine)["HostConfig"]?["SecurityOpt"] == [.string("seccomp=\(path)")])
        let made = try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path))))
        #expect(made["archMap"] == [])
        guard case .array(let rules)? = made["syscalls"] else { throw TestFailure("\(made)") }
        #expect(rules.count == 6)
        #expect(rules[0] == ["names": ["read"], "action": "SCMP_ACT_ALLOW"])
        #expect(rules[1] == ["names": ["setns", "bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1])
        guard case .array(let refused)? = rules[2]["names"] else { throw TestFailure("\(rules[2])") }
        #expect(Set(["unshare", "mount", "keyctl"]).isSubset(of: refused.compactMap(\.text)))
        #expect(!refused.contains("setns"), "a second rule of one action")
        #expect(rules[3]["names"] == ["clone3"])
        #expect(rules[3]["errnoRet"] == 38)
        let flags: JSONValue = ["index": 0, "value": 0x7E02_0000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"]
        #expect(rules[4]["names"] == ["clone"])
        #expect(rules[4]["args"] == [flags])
        #expect(rules[4]["excludes"] == ["arches": ["s390", "s390x"]])
        #expect(try await client.openFilterReason() == nil)
    }

    @Test(
        "a filter that cannot be narrowed is told, and none is given", arguments: ["", "/nowhere", "allowing", "words"])
    func filterThatStays(_ kind: String) async throws {
        let folder = try TemporaryFolder()
        let path =
            switch kind {
            case "allowing": try folder.write("p", #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}"#)
            case "words": try folder.write("p", "no JSON")
            default: kind
            }
        let engine = try podman(profile: path)
        let client = engine.client { $0.seccompFolder = folder.path }
        _ = try await client.createContainer(name: "a", ContainerSpec(image: "i"))
        #expect(try body(engine)["HostConfig"]?["SecurityOpt"] == nil)
        let reason = try #require(try await client.openFilterReason())
        #expect(path.isEmpty || reason.contains(path))
    }

    @Test("a filter of the operator's becomes a file; an engine that sees none of our files refuses it")
    func givenFilter() async throws {
        let folder = try TemporaryFolder()
        let engine = try podman()
        var spec = ContainerSpec(image: "i")
        spec.securityOptions = ["no-new-privileges:true", #"seccomp={"a":1}"#]
        _ = try await engine.client { $0.seccompFolder = folder.path }.createContainer(name: "a", spec)
        let path = folder.path + "/given.json"
        #expect(
            try body(engine)["HostConfig"]?["SecurityOpt"] == ["no-new-privileges:true", .string("seccomp=\(path)")])
        #expect(try String(contentsOfFile: path, encoding: .utf8) == #"{"a":1}"#)
        let error = await #expect(throws: EngineError.self) {
            try await engine.client().createContainer(name: "a", spec)
        }
        #expect(error?.message.contains("sandbox.seccomp") == true)
    }

    @Test("limits are changed over its own interface")
    func update() async throws {
        let engine = try podman()
        try await engine.client().updateContainer("x", .init(nanoCPUs: 100_000_000, processLimit: 7))
        let request = try #require(engine.requests.last)
        #expect(request.line == "POST /v4.3.1/libpod/containers/x/update HTTP/1.1")
        let expected = #"{"cpu":{"period":100000,"quota":10000},"pids":{"limit":7}}"#
        #expect(String(decoding: request.body, as: UTF8.self) == expected)
        try await engine.client().updateContainer("x", .init(processors: "0,2"))
        let second = try #require(engine.requests.last)
        #expect(String(decoding: second.body, as: UTF8.self) == #"{"cpu":{"cpus":"0,2"}}"#)
    }

    @Test("a name that is taken is told by its words, other failures of a create by the engine's")
    func nameTaken() async throws {
        let engine = try podman { connection, number in
            let words = number == 1 ? "the container name \\\"box\\\" is already in use by 41d1" : "no space in box"
            connection.respond(status: "500 Oops", #"{"message":"\#(words)"}"#)
        }
        let client = engine.client()
        #expect(try await client.createContainer(name: "box", ContainerSpec(image: "i")) == .nameTaken)
        let error = await #expect(throws: EngineError.self) {
            try await client.createContainer(name: "box", ContainerSpec(image: "i"))
        }
        #expect(error?.message.contains("no space in box") == true)
    }

    @Test("of several labels it looks for any: what lacks one is not taken for ours")
    func labels() async throws {
        let engine = try StubEngine { connection, line, _ in
            let volumes = #"[{"Name":"a","Labels":{"x":"1","y":"2"}},{"Name":"b","Labels":{"x":"1"}},{"Name":"c"}]"#
            let containers = #"""
                [{"Id":"a","Names":["/a"],"Image":"i","State":"exited","Labels":{"x":"1","y":"2"}},
                {"Id":"b","Names":["/b"],"Image":"i","State":"exited","Labels":{"x":"1","y":"3"}}]
                """#
            connection.respond(line.contains("/volumes") ? #"{"Volumes":\#(volumes)}"# : containers)
            return true
        }
        let client = engine.client()
        #expect(try await client.listVolumes(labels: ["x": "1", "y": "2"]).map(\.name) == ["a"])
        #expect(try await client.listContainers(labels: ["x": "1", "y": "2"]).map(\.id) == ["a"])
    }

    @Test("the mode egress is refused before a firewall rule is set: its networks keep no sandboxes from each other")
    func egress() async throws {
        let engine = try podman()
        let networks = EgressNetworks(
            client: engine.client(), engineID: "0123456789ab", settings: .init(), logger: Logger(label: "test"))
        await networks.prepare()
        #expect(networks.fault?.contains("Podman") == true)
        let error = await #expect(throws: EngineError.self) { _ = try await networks.acquire(tenant: "t") }
        #expect(error?.code == .notSupported)
        #expect(engine.requests.isEmpty)
    }

    @Test("the mode egress stays refused when it is looked after")
    func egressLater() async throws {
        let engine = try podman { connection, _ in connection.respond("[]") }
        let networks = EgressNetworks(
            client: engine.client(), engineID: "0123456789ab", settings: .init(), logger: Logger(label: "test"))
        await networks.prepare()
        for _ in 0..<2 {
            await networks.maintain()
            #expect(networks.fault?.contains("Podman") == true)
        }
    }

    @Test("the version of its OCI runtime is found, whatever stands around it")
    func components() async throws {
        let engine = try podman { connection, _ in
            connection.respond(
                #"""
                {"Version":"4.3.1","ApiVersion":"1.41","Components":[{"Name":"Podman Engine","Version":"4.3.1"},
                {"Name":"OCI Runtime (runc)","Version":"runc version 1.1.5+ds1\ncommit: 1.1.5\nspec: 1.0.2-dev"}]}
                """#)
        }
        let version = try await engine.client().version()
        #expect(version.isPodman)
        #expect(version.componentVersion("runc") == "1.1.5+ds1")
        #expect(version.componentVersion("containerd") == nil)
    }
}
