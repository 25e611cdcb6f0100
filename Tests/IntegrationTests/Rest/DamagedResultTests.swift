import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// What was stored of a job and is altered: never handed out, and no reason to hide the job.
    @Suite("Damaged results and files over REST", .serialized, .servers)
    struct DamagedResultTests {
        /// A result and a file of 1 MiB each, of bytes that hardly pack.
        private static let code = """
            import os
            def main():
                with open(os.environ['SLIPWAY_OUTPUT'] + '/f', 'wb') as file:
                    file.write(os.urandom(1 << 20))
                return os.urandom(1 << 19).hex()
            """

        private static let octets = [("Accept", "application/octet-stream")]

        /// The job as it is submitted.
        private func body() -> String {
            var writer = JSONWriter()
            writer.object { writer in
                writer.name("task")
                writer.object { writer in
                    writer.name("type")
                    writer.value("source")
                    writer.name("code")
                    writer.value(Self.code)
                }
            }
            return String(decoding: writer.bytes, as: UTF8.self)
        }

        /// Changes one character of a stored text.
        private func alter(_ path: String) throws {
            let url = URL(fileURLWithPath: path)
            var stored = try Data(contentsOf: url)
            try #require(stored.count > 600_000)
            stored[500_000] = stored[500_000] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            try stored.write(to: url)
        }

        private func expectCorrupt(_ response: HTTPClient.Response) throws {
            #expect(response.status == 500, "\(response.text.prefix(500))")
            #expect(response.header("Content-Type") == "application/problem+json")
            let problem = try JSONValue(parsing: response.body)
            #expect(problem["type"] == "/problems/artifact-corrupt", "\(response.text.prefix(500))")
        }

        private func expectShown(_ response: HTTPClient.Response, _ id: String) throws {
            #expect(response.status == 200, "\(response.text.prefix(500))")
            let job = try JSONValue(parsing: response.body)
            #expect(job["id"]?.text == id && job["state"] == "completed" && job["result"] == nil)
        }

        @Test("a wait shows the job, and its result and its file are 500, whole or in part")
        func damaged() async throws {
            let server = try await sharedServer()
            let client = server.client
            let key = [("Idempotency-Key", "damaged-\(UUID().uuidString)")]
            let first = try await client.send("POST", "/v1/jobs?wait=60", headers: key, body: body())
            let job = try JSONValue(parsing: first.body)
            #expect(job["state"] == "completed" && job["result"] != nil, "\(first.text.prefix(500))")
            let path = "/v1/jobs/" + (try #require(job["id"]?.text))
            let id = String(path.dropFirst("/v1/jobs/".count))
            let file = path + "/artifacts/f"
            #expect(try await client.send("GET", path + "/result", headers: Self.octets).body.count > 1 << 20)
            #expect(try await client.send("GET", file).body.count == 1 << 20)

            let shard = String(id.dropFirst(14).prefix(2))
            let stored = server.folder.path + "/data/artifacts/\(shard)/\(id)"
            for kind in ["out", "files"] { try alter(stored + ".\(kind).z64") }

            try expectShown(try await client.send("GET", path), id)
            try expectShown(try await client.send("GET", path + "?wait=1"), id)
            try expectShown(try await client.send("GET", path, headers: [("Prefer", "wait=1")]), id)
            try expectShown(try await client.send("POST", "/v1/jobs?wait=1", headers: key, body: body()), id)
            try expectCorrupt(try await client.send("GET", path + "/result"))
            try expectCorrupt(try await client.send("GET", path + "/result", headers: Self.octets))
            try expectCorrupt(try await client.send("GET", file))
            try expectCorrupt(try await client.send("GET", file, headers: [("Range", "bytes=0-9")]))
        }
    }
}
