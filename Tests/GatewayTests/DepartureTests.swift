import SlipwayCore
import SlipwayGateway
import TestSupport
import Testing

/// What is done for a client ends when the client goes.
@Suite("Clients that go away")
struct DepartureTests {
    @Test("waits and readers of events end when their clients close the connection")
    func closed() async throws {
        try await withGateway { gateway in
            await gateway.service.setReallyWaits()
            let job = Job.sample(state: .running)
            await gateway.service.add(JobOutcome(job: job))
            await gateway.service.setEvents([], of: job.id, staysOpen: true)
            let requests = [
                gateway.request("GET", "/v1/jobs/\(job.id)?wait=50"),
                gateway.request(
                    "POST", "/v1/jobs", headers: [("Prefer", "wait=50")],
                    body: Array(#"{"task":{"type":"source","code":"x"}}"#.utf8)),
                gateway.request("GET", "/v1/jobs/\(job.id)/events"),
                gateway.request("GET", "/v1/jobs/\(job.id)/events", headers: [("Accept", "application/x-ndjson")]),
                gateway.request("GET", "/v1/jobs/\(job.id)/logs?follow=1"),
            ]
            var connections: [HTTPConnection] = []
            for _ in 0..<10 {
                for request in requests {
                    let connection = try HTTPConnection(port: gateway.port)
                    try await connection.write(request)
                    connections.append(connection)
                }
            }
            try await waitUntil("all wait or follow") {
                let (waiting, followers) = await (gateway.service.waiting, gateway.service.followers)
                return waiting == 20 && followers == 30
            }
            connections = []
            try await waitUntil("nobody waits or follows", within: .seconds(5)) {
                let (waiting, followers) = await (gateway.service.waiting, gateway.service.followers)
                return waiting == 0 && followers == 0
            }
        }
    }

    @Test("a client that ends its half of the connection gets the job as it is")
    func halfClosed() async throws {
        try await withGateway { gateway in
            await gateway.service.setReallyWaits()
            let job = Job.sample(state: .running)
            await gateway.service.add(JobOutcome(job: job))
            let response = try await HTTPConnection(port: gateway.port).exchange(
                gateway.request("GET", "/v1/jobs/\(job.id)?wait=50"), endsOutput: true)
            #expect(response.status == 200)
            #expect(try response.json()["state"]?.text == "running")
        }
    }
}
