import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes.RemoteEngineTests {
    private static let code = "def main():\n    import slipdemo\n    return [slipdemo.version, slipdemo.__file__]"
    /// Adds two numbers with an object that cloudpickle made: it loads only where cloudpickle is.
    private static let sum = Array("(ccloudpickle\n__name__\n0coperator\nadd\n(I2\nI3\nt(dt.".utf8)

    private func startOffline(in folder: TemporaryFolder? = nil, _ wheels: String) async throws -> TestEngine {
        try await start(in: folder) {
            $0.environments.network = "none"
            $0.environments.findLinks = [wheels]
        }
    }

    private func request(_ requirement: String) -> JobRequest {
        var request = JobRequest(task: .source(Self.code))
        request.requirements = [requirement]
        return request
    }

    @Test("requirements are installed there, seen read-only, known after a restart, and removed")
    func environments() async throws {
        let wheels = try TemporaryFolder()
        let links = try WheelFolder.make(in: wheels.path + "/wheels")
        let first = try await startOffline(links)
        let outcome = try await first.run(request("slipdemo==1.0"), within: .seconds(120))
        let made = try #require(await first.engine.environments().first)
        let path = "\(DockerRuntime.environmentsTarget)/\(made.id)/slipdemo/__init__.py"
        #expect(outcome.value == .array([.string("1.0"), .string(path)]), "\(outcome.summary)")
        #expect(try await first.logs(outcome.job.id, .build).contains("Successfully installed"))
        #expect(made.bytes > 0)
        let callable = try await first.run(JobRequest(task: .callable(pickle: Self.sum)), within: .seconds(120))
        #expect(callable.job.state == .completed, "\(callable.summary)")
        let sandbox = try #require(callable.job.sandbox)
        let body = try await HTTPClient(.unix(try remote.socketPath)).send(
            "GET", "/containers/slipway-\(sandbox)/json")
        guard case .array(let mounts)? = try JSONValue(parsing: body.body)["Mounts"] else {
            Issue.record("no mounts: \(body.text.prefix(300))")
            return
        }
        #expect(mounts.count == 2)
        #expect(mounts.allSatisfy { $0["Type"] == "volume" && $0["RW"] == .bool(false) }, "\(mounts)")
        var wrong = request("slipdemo==9.9")
        wrong.requirements.append("slipneeds")
        let failed = try await first.run(wrong, within: .seconds(120))
        #expect(failed.job.error?.kind == .dependency, "\(failed.summary)")
        #expect(failed.job.error?.message.contains("slipdemo==9.9") == true, "\(failed.summary)")
        try await first.shutdownLeavingNothing()

        let second = try await startOffline(in: first.folder, links)
        let again = try await second.run(request("slipdemo==1.0"))
        #expect(again.value == outcome.value, "\(again.summary)")
        #expect(try await second.logs(again.job.id, .build).isEmpty)
        try await waitUntil("nothing uses what was made for callables") {
            !(try await second.engine.pruneEnvironments().isEmpty)
        }
        #expect(try await second.run(request("slipdemo==1.0")).value == outcome.value)
        try await second.shutdownLeavingNothing()
        let rest = try await left(second)
        #expect(rest.containers.map(\.names) == [])
        #expect(rest.volumes.filter { $0.hasPrefix("slipway-build-") } == [])
        #expect(rest.volumes.filter { $0.hasPrefix("slipway-env-") }.count == 1)
    }
}
