import Foundation
import SlipwayCore
import Synchronization

/// The built `slipway serve` as a process of its own, on folders that outlive it.
package final class RunningServer: Sendable {
    /// What the process is started with, and what it announced.
    private struct State {
        var process: Process?
        var port = 0
        var key = ""
    }

    package let folder: TemporaryFolder
    /// Kept alive with the server: what its jobs mount.
    private let neighbour: TemporaryFolder?
    private let dataPath: String
    private let configurationPath: String
    /// Whether the key of the data folder is saved elsewhere.
    private let needsKey: Bool
    private let state = Mutex(State())

    /// Makes the folders and the configuration; nothing runs yet.
    ///
    /// - Parameters:
    ///   - yaml: More of the configuration; the sections `data`, `runtime` and `docker` are there already.
    ///   - neighbour: A folder that must live as long as the server.
    ///   - other: A server whose data folder is used, instead of one of its own.
    package init(
        runtime: String = "docker", dockerHost: String = ContainerEngine.host, yaml: String = "",
        alongside neighbour: TemporaryFolder? = nil, dataOf other: RunningServer? = nil
    ) throws {
        folder = try TemporaryFolder()
        self.neighbour = neighbour
        if runtime != "process" { folder.sweepEngines() }
        dataPath = other?.dataPath ?? folder.path + "/data"
        needsKey = other != nil
        configurationPath = try folder.write(
            "config.yaml",
            """
            data:
              directory: \(dataPath)
              socket_directory: \(folder.path)/s
            runtime:
              default: \(runtime)
            docker:
              host: \(dockerHost)

            """ + yaml)
    }

    deinit { state.withLock { $0.process?.terminate() } }

    /// The binary beside the one that runs the tests, or the one that `SLIPWAY_TEST_BINARY` names.
    package static let binary: String = {
        if let named = ProcessInfo.processInfo.environment["SLIPWAY_TEST_BINARY"] { return named }
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (own as NSString).deletingLastPathComponent + "/slipway"
    }()

    /// The server's process id; 0 while none runs.
    package var pid: Int32 { state.withLock { $0.process?.processIdentifier ?? 0 } }

    /// Calls the gateway with the default tenant's key.
    package var client: HTTPClient {
        let (port, key) = state.withLock { ($0.port, $0.key) }
        return HTTPClient(.port(port), key: key)
    }

    /// The log of all runs, for failed expectations.
    package var log: String {
        String(decoding: FileManager.default.contents(atPath: folder.path + "/log") ?? Data(), as: UTF8.self)
    }

    /// Starts the server and waits until it listens.
    package func start() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.binary)
        process.arguments =
            ["serve", "--config", configurationPath, "--port", "0", "--json"]
            + (needsKey ? ["--new-key"] : [])
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SLIPWAY_") }
        environment["HOME"] = folder.path
        environment["XDG_CONFIG_HOME"] = folder.path + "/config"
        environment["XDG_DATA_HOME"] = nil
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        process.standardError = try openLog()
        try process.run()
        state.withLock { $0.process = process }
        let reading = output.fileHandleForReading
        let line = try await onThread { Self.line(from: reading) }
        guard case .object(let members)? = try? JSONValue(parsing: Array(line.utf8)),
            let url = members["url"]?.text, let path = members["credentials"]?.text,
            let port = url.split(separator: ":").last.flatMap({ Int($0) }),
            let credentials = FileManager.default.contents(atPath: path),
            let key = try JSONValue(parsing: Array(credentials))["key"]?.text
        else { throw TestFailure("the server did not start: \(line)\n\(log.suffix(4000))") }
        state.withLock {
            $0.port = port
            $0.key = key
        }
    }

    /// Ends the server as a crash would, and waits until the kernel has taken it.
    package func kill() async throws { try await end(SIGKILL) }

    /// Asks the server to end, and waits until it has; gives its exit code.
    @discardableResult
    package func stop() async throws -> Int32 { try await end(SIGTERM) }

    /// Sends a signal and does not wait.
    package func signal(_ number: Int32) { Glibc.kill(pid, number) }

    @discardableResult
    package func end(_ signal: Int32) async throws -> Int32 {
        guard let process = state.withLock({ $0.process }) else { return 0 }
        Glibc.kill(process.processIdentifier, signal)
        try await waitUntil("the server has ended", within: .seconds(60)) { !process.isRunning }
        state.withLock { $0.process = nil }
        return process.terminationStatus
    }

    /// The engine's id, read from its database.
    package func engineID() async throws -> String {
        try await HostPython.run(
            "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("
                + "\"select value from meta where key='engine_id'\").fetchone()[0])",
            [dataPath + "/jobs.sqlite"]
        ).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// What SQLite says about the database.
    package func integrity() async throws -> String {
        try await HostPython.run(
            "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('pragma integrity_check').fetchone()[0])",
            [dataPath + "/jobs.sqlite"]
        ).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func openLog() throws -> FileHandle {
        let descriptor = open(folder.path + "/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw TestFailure("cannot open the log: errno \(errno)") }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    private static func line(from handle: FileHandle) -> String {
        var bytes: [UInt8] = []
        while !bytes.contains(10) {
            let part = handle.availableData
            guard !part.isEmpty else { break }
            bytes += part
        }
        return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
    }
}
