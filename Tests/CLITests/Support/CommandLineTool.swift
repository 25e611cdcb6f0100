import Foundation
import SlipwayCore
import TestSupport
import Testing

/// The built `slipway`, run as users run it: a process with its own home and data folders.
final class CommandLineTool: Sendable {
    /// The runtime that jobs run on.
    enum Runtime: String, Sendable, CustomTestStringConvertible {
        case docker, process
        var testDescription: String { rawValue }
    }

    /// How a process ended.
    struct Output: Sendable {
        let code: Int32
        let out: String
        let err: String

        /// The JSON on standard output.
        func json() throws -> JSONValue { try JSONValue(parsing: Array(out.utf8)) }
    }

    /// A folder of its own, removed with the tool.
    let folder: URL
    let environment: [String: String]
    private let runtime: Runtime

    /// - Parameters:
    ///   - variables: Further variables of every process; they win over the others.
    ///   - foldersBelow: Variables that are lists of one folder, which lies below the tool's own.
    init(
        _ runtime: Runtime = .process, variables: [String: String] = [:], foldersBelow: [String: String] = [:]
    ) throws {
        self.runtime = runtime
        // Short, since the paths of sockets are limited.
        folder = URL(fileURLWithPath: "/tmp/slipway-cli-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        let inherited = ProcessInfo.processInfo.environment
        var environment = inherited.filter { ["PATH", "LD_LIBRARY_PATH", "LANG"].contains($0.key) }
        environment["HOME"] = folder.path
        environment["XDG_DATA_HOME"] = folder.path + "/data"
        environment["XDG_CONFIG_HOME"] = folder.path + "/config"
        environment["XDG_RUNTIME_DIR"] = folder.path
        environment["TMPDIR"] = folder.path
        environment["SLIPWAY_RUNTIME_DEFAULT"] = runtime.rawValue
        environment["DOCKER_HOST"] = Self.engineAddress
        environment.merge(variables) { $1 }
        for (name, place) in foldersBelow { environment[name] = "[\(folder.path)/\(place)]" }
        self.environment = environment
    }

    deinit {
        if runtime == .docker { EngineSweep.run(below: folder.path) }
        // The system cleans its temporary folder in the end.
        try? FileManager.default.removeItem(at: folder)
    }

    /// The container engine of the tests.
    static var engineAddress: String {
        let environment = ProcessInfo.processInfo.environment
        return environment["SLIPWAY_TEST_DOCKER_HOST"] ?? environment["DOCKER_HOST"] ?? DockerEndpoint.defaultText
    }

    /// The runtimes that can be had here.
    static let runtimes: [Runtime] = hasEngine ? [.process, .docker] : [.process]

    /// Whether a container engine answers and has the base image; without it live tests are reported as skipped.
    static let hasEngine: Bool = {
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = binary
        process.arguments = ["doctor"]
        process.environment = ["DOCKER_HOST": engineAddress, "SLIPWAY_RUNTIME_DEFAULT": "docker", "HOME": "/tmp"]
        process.standardOutput = pipe
        do {
            try process.run()
            let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            return text.contains("ok    container engine") && text.contains("ok    base image")
        } catch {
            Issue.record(error, "the tool cannot be run")
            return false
        }
    }()

    /// A client of the container engine.
    static func engineClient() throws -> DockerClient {
        DockerClient(
            endpoint: try DockerEndpoint.resolve(
                configured: engineAddress, environment: ProcessInfo.processInfo.environment))
    }

    /// Writes a file into the tool's folder, which is the working folder of its processes.
    @discardableResult
    func write(_ name: String, _ content: String) throws -> String {
        let file = folder.appendingPathComponent(name)
        try Data(content.utf8).write(to: file)
        return file.path
    }

    /// Runs a command to its end.
    func run(_ arguments: String..., variables: [String: String] = [:]) async throws -> Output {
        try await start(arguments, variables: variables).end()
    }

    /// Runs a command to its end.
    func run(_ arguments: [String]) async throws -> Output { try await start(arguments).end() }

    /// Starts a command.
    func start(_ arguments: [String], variables: [String: String] = [:]) throws -> RunningTool {
        try RunningTool(
            Self.binary, arguments, environment: environment.merging(variables) { $1 }, folder: folder)
    }

    /// The path of the tool itself.
    var path: String { Self.binary.path }

    /// What is built stands beside the test bundle.
    private static var binary: URL {
        let own = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        var folder = own.deletingLastPathComponent()
        // Where a runner of the toolchain loads the bundle, the bundle's own path is among its arguments.
        if !FileManager.default.fileExists(atPath: folder.appendingPathComponent("slipway").path),
            let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") })
        {
            folder = URL(fileURLWithPath: bundle).resolvingSymlinksInPath().deletingLastPathComponent()
        }
        return folder.appendingPathComponent("slipway")
    }
}
