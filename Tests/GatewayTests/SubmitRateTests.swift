import SlipwayCore
import SlipwayGateway
import Testing

@Suite("Rates of submits")
struct SubmitRateTests {
    private let job = #"{"task":{"type":"source","code":"x"}}"#

    @Test("a tenant has so many jobs a minute, a batch counts its items, and default has no limit")
    func limits() async throws {
        var options = GatewayOptions()
        options.submitRate = 10
        var keys = StubKeys()
        let other = keys.add(try #require(TenantID("other")))
        let third = keys.add(try #require(TenantID("third")))
        try await withGateway(options: options, keys: keys) { gateway in
            let batch = "{\"jobs\":[\(Array(repeating: job, count: 7).joined(separator: ","))]}"
            let first = try await gateway.send("POST", "/v1/jobs/batch", key: other, body: batch)
            #expect(first.status == 202)
            #expect(first.header("RateLimit-Policy") == "\"submits\";q=10;w=60")
            #expect(first.header("RateLimit")?.hasPrefix("\"submits\";r=3;t=") == true)
            // A slow machine earns a place every six seconds meanwhile: ten are not there before most of a minute.
            let ten = "{\"jobs\":[\(Array(repeating: job, count: 10).joined(separator: ","))]}"
            let refused = try await gateway.send("POST", "/v1/jobs/batch", key: other, body: ten)
            #expect(refused.status == 429)
            #expect(try refused.json()["type"] == "/problems/rate-exceeded")
            let seconds = try #require(refused.header("Retry-After").flatMap { Int($0) })
            #expect((1...42).contains(seconds))
            #expect(refused.header("RateLimit")?.hasSuffix(";t=\(seconds)") == true)
            #expect(await gateway.service.submissions.count == 7)
            var taken = 0
            while try await gateway.send("POST", "/v1/jobs", key: other, body: job).status == 202 { taken += 1 }
            #expect(taken >= 3)
            #expect(try await gateway.send("POST", "/v1/jobs/batch", key: third, body: batch).status == 202)
            for _ in 0..<12 {
                let own = try await gateway.send("POST", "/v1/jobs", body: job)
                #expect(own.status == 202)
                #expect(own.header("RateLimit") == nil)
            }
            let large = "{\"jobs\":[\(Array(repeating: job, count: 20).joined(separator: ","))]}"
            let fourth = try await gateway.send("POST", "/v1/jobs/batch", key: third, body: large)
            #expect(fourth.status == 429)
        }
    }

    @Test("what is refused for the queue says so in the same headers")
    func queue() async throws {
        try await withGateway { gateway in
            await gateway.service.fail(
                EngineError(.queueFull, "the tenant has 5 unfinished jobs (jobs.queue_max)", retryAfterSeconds: 3))
            let refused = try await gateway.send("POST", "/v1/jobs", body: job)
            #expect(refused.status == 429)
            #expect(refused.header("Retry-After") == "3")
            #expect(refused.header("RateLimit-Policy") == "\"queue\";q=100000")
            #expect(refused.header("RateLimit") == "\"queue\";r=0;t=3")
        }
    }
}
