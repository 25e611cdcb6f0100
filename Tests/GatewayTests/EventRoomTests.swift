import Foundation
import SlipwayCore
import SlipwayGateway
import TestSupport
import Testing

/// Room for logs and stored events on their way to clients.
@Suite("Room for logs and events", .serialized)
struct EventRoomTests {
    @Test("stored events and logs wait for room as results do, and a reader that is cut off gives it back")
    func room() async throws {
        var options = GatewayOptions()
        options.resultsInFlightMaxBytes = 40 << 20
        options.roomTimeout = .milliseconds(100)
        options.sendTimeout = .seconds(10)
        try await withGateway(options: options) { gateway in
            let job = Job.sample(state: .completed)
            await gateway.service.add(JobOutcome(job: job))
            let json = Array(#"{"type":"note","text":"\#(String(repeating: "x", count: 64 << 10))"}"#.utf8)
            let list = (1...512).map { JobEvent(jobID: job.id, seq: $0, time: Date(), type: "note", json: json) }
            await gateway.service.setEvents(list, of: job.id)
            await gateway.service.setLogs([UInt8](repeating: 0x61, count: 32 << 20))
            let events = gateway.request(
                "GET", "/v1/jobs/\(job.id)/events", headers: [("Accept", "application/x-ndjson")])
            let logs = gateway.request("GET", "/v1/jobs/\(job.id)/logs")
            for (holder, other) in [(events, logs), (logs, events)] {
                // A busy machine may come to the second request only when the first reader has been cut off.
                let (stuck, refused) = try await eventually("a request while a reader is stuck", within: .seconds(180))
                {
                    let stuck = try HTTPConnection(port: gateway.port)
                    #expect(try await stuck.exchange(holder, isHead: true).status == 200)
                    let second = try await HTTPConnection(port: gateway.port).exchange(other)
                    return second.status == 200 ? nil : (stuck, second)
                }
                #expect(refused.status == 503)
                #expect(try refused.json()["type"]?.text == "/problems/no-room")
                let whole = try await eventually("the stuck reader is cut off", within: .seconds(90)) {
                    let response = try await HTTPConnection(port: gateway.port).exchange(other)
                    return response.status == 200 ? response : nil
                }
                #expect(whole.body.count >= 32 << 20)
                await #expect(throws: (any Error).self) { try await stuck.response() }
            }
        }
    }
}
