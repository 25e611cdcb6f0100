import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// A disk with less room than `data.min_free`: no job is accepted, and what there is can be read.
    @Suite(
        "A disk with too little room", .serialized,
        .enabled("the disk has more free space than data.min_free can ask for") { DiskRoom.isLessThanCanBeAskedFor })
    struct DiskRoomTests {
        private static let task = #"{"task":{"type":"source","code":"def main(): return 1"}}"#

        /// Sets `data.min_free` in the file that the server reads.
        private func setMinFree(_ size: String, of server: RunningServer) throws {
            let path = server.folder.path + "/config.yaml"
            let lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
            let others = lines.filter { !$0.hasPrefix("  min_free:") }
            let all = others.flatMap { line -> [String] in line == "data:" ? [line, "  min_free: \(size)"] : [line] }
            let text = all.joined(separator: "\n")
            try server.folder.write("config.yaml", text)
            #expect(text.contains("  min_free: \(size)\n"))
        }

        private func expectsRefusal(_ response: HTTPClient.Response) throws {
            #expect(response.status == 507, "\(response.text)")
            #expect(response.header("Content-Type") == "application/problem+json")
            let problem = try JSONValue(parsing: response.body)
            #expect(problem["type"] == "/problems/storage-full" && problem["status"] == 507, "\(response.text)")
            #expect(response.header("Retry-After") == "10")
        }

        @Test("jobs are refused with 507 while reads go on, until the limit is lower")
        func refused() async throws {
            let server = try RunningServer(runtime: ContainerEngine.answers ? "docker" : "process")
            try setMinFree("1m", of: server)
            try await server.start()
            let first = try await server.client.send("POST", "/v1/jobs?wait=60", body: Self.task)
            let id = try #require(try JSONValue(parsing: first.body)["id"]?.text, "\(first.text)")
            #expect(try JSONValue(parsing: first.body)["state"] == "completed", "\(first.text)")
            #expect(try await server.stop() == 0)

            try setMinFree("1t", of: server)
            try await server.start()
            let client = server.client
            // The disk is looked at every second.
            try await waitUntil("a job is refused") {
                try await client.send("POST", "/v1/jobs", body: Self.task).status == 507
            }
            try expectsRefusal(try await client.send("POST", "/v1/jobs?wait=30", body: Self.task))
            try expectsRefusal(try await client.send("POST", "/v1/jobs/batch", body: "{\"jobs\":[\(Self.task)]}"))
            try await expectsReads(client, id)

            // Only a restart changes this limit: to read the configuration again does not.
            try setMinFree("1m", of: server)
            server.signal(SIGHUP)
            try await waitUntil("the log says so") {
                server.log.split(separator: "\n").contains {
                    $0.contains("a changed setting needs a restart") && $0.contains("data.min_free")
                }
            }
            try expectsRefusal(try await client.send("POST", "/v1/jobs", body: Self.task))
            #expect(try await server.stop() == 0)

            try await server.start()
            let again = try await server.client.send("POST", "/v1/jobs?wait=60", body: Self.task)
            #expect(try JSONValue(parsing: again.body)["state"] == "completed", "\(again.text)")
            #expect(try await server.stop() == 0)
        }

        /// What was stored is shown, listed and handed out.
        private func expectsReads(_ client: HTTPClient, _ id: String) async throws {
            let job = try await client.send("GET", "/v1/jobs/\(id)")
            #expect(try JSONValue(parsing: job.body)["state"] == "completed", "\(job.text)")
            let result = try await client.send(
                "GET", "/v1/jobs/\(id)/result", headers: [("Accept", "application/octet-stream")])
            #expect(result.status == 200 && result.text == "1", "\(result.text)")
            let list = try await client.send("GET", "/v1/jobs")
            #expect(list.status == 200 && list.text.contains(id), "\(list.text)")
            #expect(try await client.send("GET", "/v1/jobs/\(id)/logs").status == 200)
        }
    }
}

/// The room on the disk of the tests' folders.
private enum DiskRoom {
    /// Whether it is less than a terabyte, the most that `data.min_free` takes.
    static let isLessThanCanBeAskedFor: Bool = {
        var status = statvfs()
        guard statvfs("/tmp", &status) == 0 else { return false }
        return Int(status.f_bavail) * Int(status.f_frsize) < 1 << 40
    }()
}
