import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// What a running server does for clients that go away.
    @Suite("Clients that go away", .serialized, .servers)
    struct ClientDepartureTests {
        /// A value of `/metrics`.
        private func metric(_ name: String, _ client: HTTPClient) async throws -> Int {
            let text = try await client.send("GET", "/metrics").text
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + " ") })
            return try #require(Int(line.dropFirst(name.count + 1)))
        }

        @Test("50 waits and readers of each kind leave nothing behind when their connections close")
        func leave() async throws {
            let server = try await sharedServer()
            let client = server.client
            let submitted = try await client.send(
                "POST", "/v1/jobs", body: #"{"task":{"type":"command","argv":["sleep","60"]}}"#)
            let job = try #require(try JSONValue(parsing: submitted.body)["id"]?.text)
            let targets = [
                ("/v1/jobs/\(job)?wait=50", "*/*"), ("/v1/jobs/\(job)/events", "*/*"),
                ("/v1/jobs/\(job)/events", "application/x-ndjson"), ("/v1/jobs/\(job)/logs?follow=1", "*/*"),
                ("/v1/events", "*/*"),
            ]
            var open: [Int32] = []
            for _ in 0..<50 {
                for (path, accept) in targets {
                    guard case .port(let port) = client.address else { return }
                    let descriptor = try SocketAddress.connect(port: port)
                    open.append(descriptor)
                    let request =
                        "GET \(path) HTTP/1.1\r\nHost: x\r\nAccept: \(accept)\r\n"
                        + "Authorization: Bearer \(client.key ?? "")\r\n\r\n"
                    #expect(write(descriptor, request, request.utf8.count) == request.utf8.count)
                }
            }
            let names = [
                ("slipway_waits", 50), ("slipway_followers{of=\"job\"}", 150),
                ("slipway_followers{of=\"tenant\"}", 50),
            ]
            for (name, count) in names {
                try await waitUntil("\(name) is \(count)") { try await metric(name, client) == count }
            }
            for descriptor in open { close(descriptor) }
            for (name, _) in names {
                try await waitUntil("\(name) is 0", within: .seconds(5)) { try await metric(name, client) == 0 }
            }
            #expect(try await client.send("POST", "/v1/jobs/\(job)/cancel").status == 202)
        }

        @Test("over REST, only=queued leaves a job alone that has started, and says its state")
        func onlyQueued() async throws {
            let client = try await sharedServer().client
            let submitted = try await client.send(
                "POST", "/v1/jobs", body: #"{"task":{"type":"command","argv":["sleep","2"]}}"#)
            let job = try #require(try JSONValue(parsing: submitted.body)["id"]?.text)
            try await waitUntil("it runs") {
                try JSONValue(parsing: try await client.send("GET", "/v1/jobs/\(job)").body)["state"] == "running"
            }
            let refused = try await client.send("POST", "/v1/jobs/\(job)/cancel?only=queued")
            #expect(refused.status == 409)
            let problem = try JSONValue(parsing: refused.body)
            #expect(problem["type"] == "/problems/already-started")
            #expect(problem["state"] == "running")
            let ended = try await client.send("GET", "/v1/jobs/\(job)?wait=30")
            #expect(try JSONValue(parsing: ended.body)["state"] == "completed")
            #expect(try await client.send("POST", "/v1/jobs/\(job)/cancel?only=running").status == 400)
        }
    }
}
