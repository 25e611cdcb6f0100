import TestSupport
import Testing

/// The server that the tests of a suite share; it is started when it is first asked for.
actor SharedServer {
    @TaskLocal static var current: SharedServer?

    private var running: RunningServer?

    func server() async throws -> RunningServer {
        if let running { return running }
        let made = try RunningServer(runtime: ContainerEngine.answers ? "docker" : "process")
        try await made.start()
        running = made
        return made
    }

    /// Stops it; whatever it leaves behind is a failure.
    func shutdown() async throws {
        guard let running else { return }
        #expect(try await running.stop() == 0, "\(running.log.suffix(2000))")
        if ContainerEngine.answers {
            #expect(try await ContainerEngine.containers(of: running.engineID()).map(\.names) == [])
        }
        #expect(ProcessList.commandLines(containing: running.folder.path) == [])
    }
}

/// Gives a suite its shared server.
struct ServerTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let shared = SharedServer()
        try await SharedServer.$current.withValue(shared) { try await function() }
        try await shared.shutdown()
    }
}

extension Trait where Self == ServerTrait {
    static var servers: Self { ServerTrait() }
}

/// The suite's server.
func sharedServer() async throws -> RunningServer { try await #require(SharedServer.current).server() }
