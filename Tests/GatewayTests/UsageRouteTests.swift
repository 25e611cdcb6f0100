import SlipwayCore
import Testing

@Suite struct UsageRouteTests {
    @Test("usage is the caller's own: its limits, what its jobs have, and what is warm for it")
    func usage() async throws {
        try await withGateway { gateway in
            let answer = try await gateway.send("GET", "/v1/usage")
            #expect(answer.status == 200)
            let body = try answer.json()
            #expect(body["tenant"] == "default")
            #expect(
                body["limits"] == ["cpus": 4.0, "memory": nil, "gpus": nil, "running": 8, "unfinished": 100])
            #expect(
                body["used"]
                    == ["cpus": 1.5, "memory": .integer(1 << 30), "gpus": 0, "running": 2, "unfinished": 5])
            #expect(body["idle"] == ["sandboxes": 1, "memory": .integer(1 << 29)])
            #expect(try await gateway.send("GET", "/v1/usage?tenant=other").status == 400)
        }
    }
}
