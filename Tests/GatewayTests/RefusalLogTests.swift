import SlipwayCore
import Testing

/// What the log tells of requests that are refused.
@Suite struct RefusalLogTests {
    private static let passing: [EngineError.Code] = [
        .unavailable, .containerEngineUnavailable, .draining, .storageFull,
    ]

    /// The lines above the level `info` after a submit that fails with a code.
    private func lines(_ code: EngineError.Code, status: Int) async throws -> [String] {
        let lines = KeptLog.Lines()
        try await withGateway(log: lines) { gateway in
            await gateway.service.fail(EngineError(code, "it cannot be"))
            let answer = try await gateway.send(
                "POST", "/v1/jobs", body: #"{"task":{"type":"source","code":"def main(): pass"}}"#)
            #expect(answer.status == status)
        }
        #expect(lines.count > 0, "the log is kept")
        return lines.above(.notice)
    }

    @Test(arguments: passing)
    func whatPassesIsNotToldForEachRequest(code: EngineError.Code) async throws {
        #expect(try await lines(code, status: code == .storageFull ? 507 : 503) == [])
    }

    @Test func aFaultOfTheServiceIsAnError() async throws {
        #expect(try await lines(.internalFault, status: 500).contains("request failed"))
    }
}
