import Foundation
import Logging
import SlipwayCore
import TestSupport

/// An engine whose container engine does what a script says.
struct StubbedEngine {
    let engine: Engine
    let stub: StubEngine
    let configuration: Configuration

    /// Runs `body` with an engine that has started, and stops it in any case.
    ///
    /// - Parameters:
    ///   - change: Changes of the configuration, in which no call is tried twice.
    ///   - answer: Gets each request line; nil leaves it to the rule that there is nothing of what was asked for, false
    ///     closes the connection.
    ///   - logger: Gets what the engine logs.
    static func with(
        _ change: (inout Configuration) -> Void = { _ in },
        answer: @escaping @Sendable (_ connection: StubServer.Connection, _ line: String) -> Bool?,
        logger: Logger = TestEngine.logger(),
        body: (StubbedEngine) async throws -> Void
    ) async throws {
        let stub = try StubEngine { connection, line, _ in
            if let goesOn = answer(connection, line) { return goesOn }
            if line.contains("/containers/json") {
                connection.respond("[]")
            } else {
                connection.respond(status: "404 Not Found", #"{"message":"there is no such thing"}"#)
            }
            return true
        }
        defer { stub.server.stop() }
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        var configuration = Configuration()
        configuration.data.directory = folder.path + "/data"
        configuration.data.socketDirectory = folder.path + "/s"
        configuration.runtime.default = .docker
        configuration.docker.host = "unix://\(stub.server.path)"
        configuration.docker.retries = 0
        change(&configuration)
        let engine = try await Engine(
            configuration: configuration, logger: logger, environment: ["HOME": folder.path])
        do {
            try await engine.start()
            try await body(StubbedEngine(engine: engine, stub: stub, configuration: configuration))
        } catch {
            await engine.shutdown()
            throw error
        }
        await engine.shutdown()
    }

    /// The engine's identifier in a request for its containers.
    static func engineID(in line: String) -> String? {
        line.range(of: "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", options: .regularExpression)
            .map { String(line[$0]) }
    }

    /// A container of a sandbox as the container engine lists it.
    static func container(_ id: String, of sandbox: String, engineID: String) -> String {
        #"{"Id":"\#(id)","Names":["/slipway-\#(sandbox)"],"State":"created","Labels":{"#
            + #""\#(DockerRuntime.engineLabel)":"\#(engineID)","\#(DockerRuntime.sandboxLabel)":"\#(sandbox)"}}"#
    }
}
