import Foundation
import SlipwayCore
import Synchronization

/// A Docker engine of the tests' own that is reached over TLS, as one on another machine is.
package final class RemoteEngine: Sendable {
    /// Whether one can be started here: it takes root, dockerd and openssl.
    package static let isPossible: Bool =
        getuid() == 0 && ContainerEngine.answers
        && ["dockerd", "openssl", "ip", "curl"].allSatisfy { name in
            ["/usr/sbin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/bin/"].contains {
                FileManager.default.isExecutableFile(atPath: $0 + name)
            }
        }

    package let folder: TemporaryFolder
    package let port: Int
    private let state: Mutex<(process: Process, input: Pipe)?>

    private init(_ folder: TemporaryFolder, _ port: Int, _ process: Process, _ input: Pipe) {
        self.folder = folder
        self.port = port
        state = Mutex((process, input))
    }

    deinit { state.withLock { try? $0?.input.fileHandleForWriting.close() } }

    package var host: String { "tcp://127.0.0.1:\(port)" }
    /// The engine's own socket, past TLS.
    package var socketPath: String { folder.path + "/docker.sock" }

    /// The file of a client's certificates: `client` is trusted, `stranger` is not.
    package func file(_ name: String, of client: String = "client") -> String { "\(folder.path)/\(client)/\(name).pem" }

    /// Starts it and gives it the base image.
    package static func start() async throws -> RemoteEngine {
        let folder = try TemporaryFolder()
        let taken = try SocketAddress.listen(port: 0)
        close(taken.descriptor)
        let process = Process()
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../scripts/test-engine").standardizedFileURL
        process.executableURL = script
        process.arguments = [folder.path, "\(taken.port)"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let engine = RemoteEngine(folder, taken.port, process, input)
        let reading = output.fileHandleForReading
        let line = try await onThread { String(decoding: reading.availableData, as: UTF8.self) }
        guard line.hasPrefix("ready") else { throw TestFailure("no second engine: \(line)") }
        try await engine.copyImage("slipway/python:3.11")
        return engine
    }

    /// Ends it and removes what is left of it.
    package func stop() async throws {
        guard
            let (process, input) = state.withLock({ state in
                defer { state = nil }
                return state
            })
        else { return }
        try input.fileHandleForWriting.close()
        try await onThread { process.waitUntilExit() }
    }

    /// Runs `body` with a client that the engine trusts.
    package func withClient<Value>(
        isolation: isolated (any Actor)? = #isolation, _ body: (DockerClient) async throws -> Value
    ) async throws -> Value {
        try await DockerClient.with(try DockerEndpoint.resolve(settings, environment: [:]), isolation: isolation, body)
    }

    /// The configuration that reaches it.
    package var settings: Configuration.Docker {
        var settings = Configuration.Docker()
        settings.host = host
        settings.tlsCA = file("ca")
        settings.tlsCert = file("cert")
        settings.tlsKey = file("key")
        return settings
    }

    private func copyImage(_ name: String) async throws {
        let archive = folder.path + "/image.tar"
        try await ContainerEngine.save(image: name, to: archive)
        _ = try await withClient { try await $0.loadImages(fromFile: archive) }
        try FileManager.default.removeItem(atPath: archive)
    }
}
