import SlipwayCore
import Testing

/// Containers that an earlier process of an engine left.
@Suite struct LeftoverTests {
    /// Lists two leftovers, of which the first cannot be removed.
    private static let answer: @Sendable (StubServer.Connection, String) -> Bool? = { connection, line in
        if line.hasPrefix("GET"), line.contains("/containers/json"), let id = StubbedEngine.engineID(in: line) {
            let all = ["stuck", "other"].map { StubbedEngine.container($0, of: "\(SandboxID())", engineID: id) }
            connection.respond("[\(all.joined(separator: ","))]")
        } else if line.hasPrefix("DELETE"), line.contains("/containers/stuck") {
            connection.respond(
                status: "500 Internal Server Error", #"{"message":"driver failed to remove the root file system"}"#)
        } else if line.hasPrefix("DELETE") {
            connection.respond(status: "204 No Content")
        } else {
            return nil
        }
        return true
    }

    @Test func oneThatStaysKeepsNoOtherFromGoing() async throws {
        try await StubbedEngine.with(answer: Self.answer) { test in
            let removals = test.stub.requests.map(\.line).filter { $0.hasPrefix("DELETE") }
            #expect(removals.contains { $0.contains("/containers/stuck") })
            #expect(removals.contains { $0.contains("/containers/other") })
            let readiness = await test.engine.readiness()
            #expect(readiness.ready, "an answer about one container is no fault of the runtime: \(readiness.reasons)")
        }
    }
}
