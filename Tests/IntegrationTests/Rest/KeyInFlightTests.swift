import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// One idempotency key twice while the first request is being committed.
    @Suite("Idempotency keys in flight", .serialized)
    struct KeyInFlightTests {
        /// Another process that writes to a database, so that nobody else can.
        private final class Writer {
            private static let program = """
                import sqlite3, sys
                database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
                database.execute("begin immediate")
                print("held", flush=True)
                sys.stdin.read()
                database.execute("rollback")
                """
            private let process = Process()
            private let input = Pipe()

            init(_ path: String) async throws {
                process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
                process.arguments = ["python3", "-c", Self.program, path]
                process.standardInput = input
                let output = Pipe()
                process.standardOutput = output
                try process.run()
                let reading = output.fileHandleForReading
                let told = try await onThread { String(decoding: reading.availableData, as: UTF8.self) }
                guard told.hasPrefix("held") else { throw TestFailure("the database is not held: \(told)") }
            }

            deinit { process.terminate() }

            /// Lets others write again.
            func release() throws { try input.fileHandleForWriting.close() }
        }

        @Test("the second is told to ask again, and after the commit it gets the first one's job")
        func inFlight() async throws {
            let server = try RunningServer(runtime: "process", yaml: "store:\n  busy_timeout: 60s\n")
            try await server.start()
            let client = server.client
            let key = [("Idempotency-Key", "held")]
            let body = #"{"task":{"type":"source","code":"def main(): return 1"}}"#
            // Whatever comes first has come: nothing but the commit is held up.
            #expect(try await client.send("POST", "/v1/jobs?wait=30", body: body).status == 200)
            let writer = try await Writer(server.folder.path + "/data/jobs.sqlite")
            let id = try await withThrowingTaskGroup(of: HTTPClient.Response.self) { group in
                for _ in 0..<2 {
                    group.addTask { try await client.send("POST", "/v1/jobs", headers: key, body: body) }
                }
                // The one that has the key is answered when it is stored, the other one at once.
                let refused = try #require(try await group.next())
                try writer.release()
                #expect(refused.status == 409, "\(refused.text)")
                #expect(refused.header("Retry-After") == "1")
                #expect(try JSONValue(parsing: refused.body)["type"] == "/problems/key-in-flight")
                let accepted = try #require(try await group.next())
                #expect(accepted.status == 202, "\(accepted.text)")
                return try #require(try JSONValue(parsing: accepted.body)["id"]?.text)
            }
            let replayed = try await client.send("POST", "/v1/jobs?wait=30", headers: key, body: body)
            #expect(replayed.status == 200, "\(replayed.text)")
            let job = try JSONValue(parsing: replayed.body)
            #expect(job["id"]?.text == id)
            #expect(job["state"] == "completed")
            #expect(try await server.stop() == 0, "\(server.log.suffix(2000))")
        }
    }
}
