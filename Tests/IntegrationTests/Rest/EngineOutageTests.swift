import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// A container engine that is away, at the start and later.
    @Suite("Outages of the container engine", .serialized, .enabled("no container engine answers", hasContainers))
    struct EngineOutageTests {
        private static let task = #"{"task":{"type":"source","code":"def main(): return 1"}}"#

        private func ready(_ server: RunningServer, _ status: Int) async throws {
            try await waitUntil("/readyz answers \(status)") {
                try await server.client.send("GET", "/readyz").status == status
            }
        }

        /// 503 as a problem document, with the time after which to ask again, and no word about the host.
        private func expectsRefusal(_ response: HTTPClient.Response, _ folder: TemporaryFolder) throws {
            #expect(response.status == 503, "\(response.text)")
            #expect(response.header("Content-Type") == "application/problem+json")
            #expect(response.header("Retry-After") == "2")
            let problem = try JSONValue(parsing: response.body)
            #expect(problem["type"] == "/problems/unavailable", "\(response.text)")
            #expect(problem["status"] == 503 && problem["detail"] == "The engine takes no jobs at present.")
            #expect(!response.text.contains(folder.path), "a path of the host is told: \(response.text)")
        }

        @Test("without an engine the server starts, says so, refuses jobs, and recovers by itself")
        func away() async throws {
            let folder = try TemporaryFolder()
            let proxy = SocketProxy(
                path: folder.path + "/docker.sock", target: try #require(ContainerEngine.socketPath))
            let server = try RunningServer(dockerHost: "unix://\(proxy.path)", alongside: folder)
            try await server.start()
            try await ready(server, 503)
            let client = server.client
            #expect(try await client.send("GET", "/healthz").status == 200)
            let readiness = try await client.send("GET", "/readyz")
            #expect(readiness.text.contains("docker"))
            #expect(!readiness.text.contains(folder.path), "a path of the host is told to anybody")
            // The runtime was asked before the first job could be taken, so this one is not.
            try expectsRefusal(try await client.send("POST", "/v1/jobs", body: Self.task), folder)

            try proxy.start()
            try await ready(server, 200)
            let first = try await client.send("POST", "/v1/jobs?wait=60", body: Self.task)
            #expect(try JSONValue(parsing: first.body)["state"] == "completed", "\(first.text)")

            // Away again: what is warm goes on, the outage is told, and it passes.
            proxy.stop()
            let warm = try await client.send("POST", "/v1/jobs?wait=30", body: Self.task)
            #expect(try JSONValue(parsing: warm.body)["state"] == "completed", "\(warm.text)")
            try await ready(server, 503)
            try proxy.start()
            try await ready(server, 200)
            let last = try await client.send("POST", "/v1/jobs?wait=60", body: Self.task)
            #expect(try JSONValue(parsing: last.body)["state"] == "completed", "\(last.text)")
            #expect(try await server.stop() == 0)
            #expect(try await ContainerEngine.containers(of: server.engineID()).map(\.names) == [])
        }

        @Test("with an engine that never comes, every way to submit is refused, nothing is kept, and reads go on")
        func gone() async throws {
            let folder = try TemporaryFolder()
            let server = try RunningServer(dockerHost: "unix://\(folder.path)/nobody.sock", alongside: folder)
            try await server.start()
            let client = server.client
            for (path, body) in [
                ("/v1/jobs", Self.task), ("/v1/jobs?wait=5", Self.task),
                ("/v1/jobs/batch", "{\"jobs\":[\(Self.task)]}"),
            ] {
                try expectsRefusal(try await client.send("POST", path, body: body), folder)
                let keyed = try await client.send("POST", path, headers: [("Idempotency-Key", path)], body: body)
                try expectsRefusal(keyed, folder)
            }
            let list = try await client.send("GET", "/v1/jobs")
            #expect(list.status == 200)
            #expect(try JSONValue(parsing: list.body)["jobs"] == [], "a refused job is kept: \(list.text)")
            #expect(try await client.send("GET", "/v1/jobs/\(JobID())").status == 404)
            #expect(try await client.send("GET", "/v1/pools").status == 200)
            #expect(try await client.send("GET", "/healthz").status == 200)
            #expect(try await client.send("GET", "/readyz").status == 503)
            #expect(try await server.stop() == 0)
        }
    }
}
