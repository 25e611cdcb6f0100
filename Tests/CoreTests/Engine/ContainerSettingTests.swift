import SlipwayCore
import TestSupport
import Testing

/// What the configuration says of all containers, as a container engine on which nothing starts sees it.
@Suite struct ContainerSettingTests {
    private static let profile = #"{"defaultAction":"SCMP_ACT_ALLOW"}"#

    private static func answer(_ connection: StubServer.Connection, _ line: String) -> Bool? {
        if line.contains("/info") {
            connection.respond(#"{"NCPU":4,"MemTotal":8000000000}"#)
        } else if line.contains("/images/") {
            connection.respond(#"{"Id":"sha256:1"}"#)
        } else if line.contains("/containers/create") {
            connection.respond(status: "201 Created", #"{"Id":"abc","Warnings":[]}"#)
        } else if line.hasPrefix("DELETE") {
            connection.respond(status: "204 No Content")
        } else if line.contains("/start") {
            connection.respond(status: "500 Internal Server Error", #"{"message":"no such runtime"}"#)
        } else {
            return nil
        }
        return true
    }

    /// What the engine asked for so far.
    private func created(_ test: StubbedEngine) throws -> [JSONValue] {
        try test.stub.requests.filter { $0.line.contains("/containers/create") }.map { try JSONValue(parsing: $0.body) }
    }

    @Test func theRuntimeAndTheSeccompProfileReachSandboxesAndBuilders() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("seccomp.json", Self.profile)
        let change: (inout Configuration) -> Void = {
            $0.runtime.ociRuntime = "runsc"
            $0.sandbox.seccomp = file
            $0.environments.pipCache = .none
        }
        try await StubbedEngine.with(change, answer: Self.answer) { test in
            var request = JobRequest(task: .source("def main(): pass"))
            request.requirements = ["slipdemo"]
            _ = try await test.engine.submit(request)
            try await waitUntil("a sandbox and a builder are made") {
                let labels = try created(test).compactMap { $0["Labels"] }
                return labels.contains { $0[DockerRuntime.roleLabel] == .string(DockerEnvironmentBuilder.role) }
                    && labels.contains { $0[DockerRuntime.poolLabel] != nil }
            }
            for body in try created(test) {
                #expect(body["HostConfig"]?["Runtime"] == "runsc", "\(body)")
                let options: JSONValue = ["no-new-privileges:true", .string("seccomp=\(Self.profile)")]
                #expect(body["HostConfig"]?["SecurityOpt"] == options, "\(body)")
            }
        }
    }

    @Test func aSeccompProfileThatCannotBeReadIsNamed() async throws {
        let change: (inout Configuration) -> Void = { $0.sandbox.seccomp = "/nowhere/seccomp.json" }
        await #expect {
            try await StubbedEngine.with(change, answer: Self.answer) { _ in }
        } throws: { error in
            guard let error = error as? EngineError else { return false }
            return error.code == .configuration && error.message.contains("/nowhere/seccomp.json")
        }
    }
}
