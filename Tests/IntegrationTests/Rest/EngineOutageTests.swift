import Foundation
import SlipwayCore
import TestSupport
import Testing

extension Live {
    /// A container engine that is away, at the start and later.
    @Suite("Outages of the container engine", .serialized, .enabled("no container engine answers", hasContainers))
    struct EngineOutageTests {
        private static let task = #"{"task":{"type":"source","code":"def main(): return 1"}}"#

        private func ready(_ server: RunningServer, _ status: Int) async throws {
            try await waitUntil("/readyz answers \(status)") {
                try await server.client.send("GET", "/readyz").status == status
            }
        }

        @Test("without an engine the server starts, says so, keeps jobs, and recovers by itself")
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
            let early = try await client.send("POST", "/v1/jobs", body: Self.task)
            #expect(early.status == 202 || early.status == 503, "\(early.text)")

            try proxy.start()
            try await ready(server, 200)
            let first = try await client.send("POST", "/v1/jobs?wait=60", body: Self.task)
            #expect(try JSONValue(parsing: first.body)["state"] == "completed", "\(first.text)")
            if early.status == 202 {
                let id = try JSONValue(parsing: early.body)["id"]?.text ?? ""
                let ended = try await client.send("GET", "/v1/jobs/\(id)?wait=60")
                #expect(try JSONValue(parsing: ended.body)["state"] == "completed", "\(ended.text)")
            }

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
    }
}
