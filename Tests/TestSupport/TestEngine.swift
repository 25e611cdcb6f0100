import Foundation
import Logging
import SlipwayCore
import Testing

/// An engine on folders of its own, with what tests need to drive it and to see that it leaves nothing behind.
package final class TestEngine: Sendable {
    package let engine: Engine
    package let folder: TemporaryFolder
    package let configuration: Configuration
    /// Labels the engine's containers.
    package let engineID: String

    private init(_ engine: Engine, _ folder: TemporaryFolder, _ configuration: Configuration, _ id: String) {
        self.engine = engine
        self.folder = folder
        self.configuration = configuration
        engineID = id
    }

    /// Starts an engine.
    ///
    /// - Parameters:
    ///   - runtime: `docker`, `attach` (docker, over standard input and output), `volumes` (the same, and no folder of
    ///     this machine is mounted: as with an engine elsewhere) or `process`.
    ///   - folder: Folders of an earlier engine, to start on what it left.
    ///   - environment: What the engine takes for its own environment.
    ///   - tweak: Changes of the configuration, which otherwise suits small machines.
    package static func start(
        _ runtime: String, in folder: TemporaryFolder? = nil, handlers: [any TaskHandler] = [],
        environment: [String: String] = ProcessInfo.processInfo.environment,
        tweak: (inout Configuration) -> Void = { _ in }
    ) async throws -> TestEngine {
        let folder = try folder ?? TemporaryFolder()
        var configuration = Configuration()
        configuration.data.directory = folder.path + "/data"
        configuration.data.socketDirectory = folder.path + "/s"
        configuration.runtime.default = runtime == "process" ? .process : .docker
        if runtime == "attach" || runtime == "volumes" { configuration.docker.transport = .attach }
        if runtime == "volumes" { configuration.docker.files = .volume }
        configuration.docker.host = ContainerEngine.host
        configuration.pools.defaults.max = 2
        configuration.jobs.drainTimeout = .seconds(5)
        tweak(&configuration)
        if configuration.runtime.default != .process { folder.sweepEngines() }
        let engine = try await Engine(
            configuration: configuration, handlers: handlers, logger: logger(),
            environment: environment)
        try await engine.start()
        let id = try engine.store.metaBlocking("engine_id") ?? ""
        return TestEngine(engine, folder, configuration, id)
    }

    /// `SLIPWAY_TEST_LOG` names the least level that is written; without it the engines of tests are silent.
    package static func logger() -> Logger {
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        let wanted = ProcessInfo.processInfo.environment["SLIPWAY_TEST_LOG"].flatMap { Logger.Level(rawValue: $0) }
        logger.logLevel = wanted ?? .critical
        return logger
    }

    /// Stops the engine and says what of it is still there: containers, processes, folders of sandboxes.
    package func shutdown() async throws -> [String] {
        await engine.shutdown()
        if configuration.docker.files == .volume { try await ContainerEngine.removeVolumes(of: engineID) }
        // A zygote on this machine ends when it sees that its supervisor is gone, which takes a moment while it imports.
        let deadline = ContinuousClock.now + .seconds(2)
        var left = try await leftovers()
        while !left.isEmpty, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
            left = try await leftovers()
        }
        return left
    }

    /// Stops the engine; whatever it leaves behind is a failure.
    package func shutdownLeavingNothing(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let left = try await shutdown()
        #expect(left == [], sourceLocation: sourceLocation)
    }

    /// What of this engine exists outside of its data folder.
    package func leftovers() async throws -> [String] {
        var found: [String] = []
        if ContainerEngine.answers {
            found += try await ContainerEngine.containers(of: engineID).map { "container \($0.names)" }
        }
        found += ProcessList.commandLines(containing: folder.path).map { "process \($0)" }
        let sockets = folder.path + "/s"
        for entry in (try? FileManager.default.subpathsOfDirectory(atPath: sockets)) ?? []
        where entry.contains("/sbx_") {
            found.append("file \(entry)")
        }
        return found
    }

    /// Submits a request and waits for its end.
    package func run(_ request: JobRequest, within limit: Duration = .seconds(60)) async throws -> JobOutcome {
        let outcome = try await engine.submit(request, waitingUpTo: limit)
        guard outcome.job.state.isTerminal else {
            throw TestFailure("job \(outcome.job.id) is still \(outcome.job.state) after \(limit)")
        }
        return outcome
    }

    /// Runs Python source.
    package func run(
        source: String, args: [JSONValue] = [], within limit: Duration = .seconds(60),
        _ change: (inout JobRequest) -> Void = { _ in }
    ) async throws -> JobOutcome {
        var request = JobRequest(task: .source(source, args: args))
        change(&request)
        return try await run(request, within: limit)
    }

    /// Waits for the end of a job.
    package func end(of id: JobID, within limit: Duration = .seconds(60)) async throws -> JobOutcome {
        let outcome = try await engine.wait(for: id, upTo: limit)
        guard outcome.job.state.isTerminal else {
            throw TestFailure("job \(id) is still \(outcome.job.state) after \(limit)")
        }
        return outcome
    }

    /// Waits until a job is in a state.
    package func reach(_ state: JobState, _ id: JobID) async throws {
        try await waitUntil("job \(id) is \(state)") { try await engine.job(id).state == state }
    }

    /// The output of a job.
    package func logs(_ id: JobID, _ stream: LogStream = .stdout) async throws -> String {
        String(decoding: try await engine.logs(of: id, stream: stream), as: UTF8.self)
    }

    /// Every event of a job that has ended.
    package func events(_ id: JobID) async throws -> [JSONValue] {
        var events: [JSONValue] = []
        for await event in try await engine.events(of: id) { events.append(try JSONValue(parsing: event.json)) }
        return events
    }
}

extension JobOutcome {
    /// The JSON value of a result.
    package var value: JSONValue? { result.flatMap { try? JSONValue(parsing: $0.bytes) } }

    /// How the job ended, in words for failed expectations.
    package var summary: String {
        "\(job.state) \(job.error.map { "\($0.kind) \($0.type ?? ""): \($0.message)" } ?? "")"
    }
}
