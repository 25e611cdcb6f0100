import Foundation
import SlipwayCore
import Synchronization

/// A registry of the tests' own on this machine, which asks for a password, with images that the engine lacks.
package final class LocalRegistry: Sendable {
    /// Whether one can be started here: it takes the program `docker-registry` (Debian's package of that name).
    package static let isPossible: Bool =
        ContainerEngine.answers && ContainerEngine.socketPath != nil && program != nil
    private static let program = ["/usr/bin/docker-registry", "/usr/local/bin/docker-registry", "/usr/bin/registry"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    package static let username = "puller"
    package static let password = "planted-pa55"
    /// The line that htpasswd makes of them.
    private static let account = "puller:$2y$05$V0FR5zkcAbXsGBd6RED.R.FDi16UXuYHPfAFxixp750h245z68yoy"

    package let folder: TemporaryFolder
    package let port: Int
    private let process: Process
    private let pushed = Mutex<[String]>([])

    private init(_ folder: TemporaryFolder, _ port: Int, _ process: Process) {
        self.folder = folder
        self.port = port
        self.process = process
    }

    deinit { process.terminate() }

    /// The registry as it stands in front of image names; Docker asks addresses of this machine without TLS.
    package var host: String { "127.0.0.1:\(port)" }

    /// What it has written about requests.
    package var log: String {
        String(decoding: FileManager.default.contents(atPath: folder.path + "/log") ?? Data(), as: UTF8.self)
    }

    package static func start() async throws -> LocalRegistry {
        guard let program else { throw TestFailure("there is no docker-registry") }
        let folder = try TemporaryFolder()
        let taken = try SocketAddress.listen(port: 0)
        close(taken.descriptor)
        try folder.write("htpasswd", account + "\n")
        let settings = try folder.write(
            "config.yml",
            """
            version: 0.1
            log:
              accesslog:
                disabled: false
            storage:
              filesystem:
                rootdirectory: \(folder.path)/data
            http:
              addr: 127.0.0.1:\(taken.port)
            auth:
              htpasswd:
                realm: tests
                path: \(folder.path)/htpasswd
            """)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["serve", settings]
        try folder.write("log", "")
        let log = FileHandle(forWritingAtPath: folder.path + "/log")
        process.standardOutput = log
        process.standardError = log
        try process.run()
        let registry = LocalRegistry(folder, taken.port, process)
        let client = HTTPClient(.port(taken.port))
        try await waitUntil("the registry answers") {
            let answer = try? await client.send("GET", "/v2/")
            return answer?.status == 401
        }
        return registry
    }

    /// Ends it, and takes its images away from the engine.
    package func stop() async throws {
        process.terminate()
        let process = process
        try await onThread { process.waitUntilExit() }
        for name in pushed.withLock({ $0 }) { try await forget(name) }
    }

    /// Puts an image of the engine into the registry, under a name that the engine then forgets again.
    package func push(_ source: String, as name: String) async throws -> String {
        let (repository, tag) = ("\(host)/\(name)", "1")
        try await ContainerEngine.withClient { try await $0.tagImage(source, repository: repository, tag: tag) }
        let reference = "\(repository):\(tag)"
        pushed.withLock { $0.append(reference) }
        let json = #"{"username":"\#(Self.username)","password":"\#(Self.password)","serveraddress":"\#(host)"}"#
        let secret = Data(json.utf8).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_")
        let answer = try await Self.curl(
            ["-X", "POST", "-H", "X-Registry-Auth: \(secret)", "http://localhost/images/\(repository)/push?tag=\(tag)"])
        guard !answer.contains("errorDetail") else { throw TestFailure("push of \(reference): \(answer.suffix(500))") }
        try await forget(reference)
        return reference
    }

    /// Puts an image of random bytes into the registry: nobody has its layer, so that pulling it takes a while.
    package func pushNoise(_ name: String, megabytes: Int) async throws -> String {
        let file = folder.path + "/noise.tar"
        var archive = TarArchive()
        var bytes = [UInt8](repeating: 0, count: megabytes << 20)
        bytes.withUnsafeMutableBytes { buffer in
            for index in stride(from: 0, to: buffer.count, by: 8) {
                buffer.storeBytes(of: UInt64.random(in: 0 ... .max), toByteOffset: index, as: UInt64.self)
            }
        }
        archive.addFile("noise", bytes)
        try Data(archive.finished).write(to: URL(fileURLWithPath: file))
        let source = "slipway-test-noise-\(port)"
        let answer = try await Self.curl(
            ["-X", "POST", "-T", file, "http://localhost/images/create?fromSrc=-&repo=\(source)&tag=1"])
        guard answer.contains("sha256:") else { throw TestFailure("import: \(answer.suffix(500))") }
        try FileManager.default.removeItem(atPath: file)
        let reference = try await push("\(source):1", as: name)
        try await ContainerEngine.withClient { _ = try await $0.removeImage("\(source):1") }
        return reference
    }

    /// Makes the engine forget a name, and the image with its last one.
    package func forget(_ reference: String) async throws {
        _ = try await ContainerEngine.withClient { try await $0.removeImage(reference) }
    }

    private static func curl(_ arguments: [String]) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        process.arguments = ["-s", "--unix-socket", ContainerEngine.socketPath ?? ""] + arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let reading = output.fileHandleForReading
        return try await onThread { String(decoding: reading.readDataToEndOfFile(), as: UTF8.self) }
    }
}
