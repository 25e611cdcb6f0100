import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// What a tenant may run, across a restart of the server.
    @Suite(
        "Limits of tenants and restarts", .serialized, .enabled("no container engine answers", hasContainers))
    struct TenantLimitCrashTests {
        private static let sleeper = "import time\\ndef main():\\n    print('up', flush=True)\\n    time.sleep(100)"

        private func submit(_ server: RunningServer, _ code: String) async throws -> String {
            let body = #"{"task":{"type":"source","code":"\#(code)"},"timeout":"120s"}"#
            let response = try await server.client.send("POST", "/v1/jobs", body: body)
            try #require(response.status == 202, "\(response.text)")
            return try #require(try JSONValue(parsing: response.body)["id"]?.text)
        }

        private func job(_ server: RunningServer, _ id: String, _ query: String = "") async throws -> JSONValue {
            try JSONValue(parsing: try await server.client.send("GET", "/v1/jobs/\(id)\(query)").body)
        }

        @Test("a task that was taken back counts: the tenant's next job waits until it has ended")
        func takenBack() async throws {
            let server = try RunningServer(
                yaml: """
                    tenants:
                      defaults:
                        running: 1
                    pools:
                      defaults:
                        max: 2

                    """)
            try await server.start()
            let first = try await submit(server, Self.sleeper)
            try await waitUntil("the task is up") {
                try await server.client.send("GET", "/v1/jobs/\(first)/logs").text.contains("up")
            }
            let second = try await submit(server, "def main(): return 1")
            try await server.kill()
            try await server.start()
            try await waitUntil("the second job waits for the first") {
                try await job(server, second)["message"]?.text?.contains("the tenant's other jobs") == true
            }
            #expect(try await job(server, first)["state"] == "running")
            #expect(try await server.client.send("POST", "/v1/jobs/\(first)/cancel").status == 202)
            let ended = try await job(server, second, "?wait=30")
            #expect(ended["state"] == "completed", "\(ended)")
            try await KillSeries.checkEnd(server)
        }
    }
}
