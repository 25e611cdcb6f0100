import Logging
import SlipwayCore
import TestSupport
import Testing

/// What an engine does every minute, and says where it cannot.
@Suite struct MaintenanceTests {
    @Test func environmentsThatCannotBeLookedAfterAreNoOldJobs() async throws {
        let lines = KeptLog.Lines()
        let fails: @Sendable (StubServer.Connection, String) -> Bool? = { connection, line in
            guard line.contains("/containers/json"), line.contains(DockerRuntime.roleLabel) else { return nil }
            connection.respond(status: "500 Internal Server Error", #"{"message":"the list cannot be had"}"#)
            return true
        }
        let logger = Logger(label: "test") { _ in KeptLog(lines: lines) }
        try await StubbedEngine.with(answer: fails, logger: logger) { _ in
            try await waitUntil("it is logged") { lines.all.contains("the environments could not be looked after") }
        }
        #expect(!lines.all.contains("old jobs could not be removed"))
    }
}
