import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Installs requirements with the machine's own Python, for sandboxes that are local processes.
package final class ProcessEnvironmentBuilder: EnvironmentBuilder {
    package let runtime = "process"
    /// The engine's user installs, and its sandboxes read as the same user.
    package let sealsForGroups = false
    private let options: EnvironmentOptions
    private let interpreter = Mutex<Interpreter?>(nil)

    package init(options: EnvironmentOptions) {
        self.options = options
    }

    package func prepare() async {
        do {
            let work = try DockerEnvironmentBuilder.makeWork(below: options.workFolder)
            // Only two small files; what stays is removed at the next start.
            defer { try? FileManager.default.removeItem(atPath: work) }
            let result = try await run(BuildSpec(.probe), work, limit: .seconds(60))
            interpreter.withLock { $0 = result.interpreter }
        } catch {
            // Without an interpreter nothing can be installed; the first build says so.
            interpreter.withLock { $0 = nil }
        }
    }

    package func identity(of image: ResolvedImage) -> String {
        guard let found = interpreter.withLock({ $0 }) else { return "no interpreter" }
        return [found.executable, found.version, found.abi, found.libc].joined(separator: " ")
    }

    package func path(of id: String) -> String { options.rootFolder + "/" + id }

    package func build(_ order: BuildOrder) async throws -> BuildResult {
        var spec = BuildSpec(order, options: options)
        spec.group = nil
        if options.pipCache != .none {
            let owner = order.usesSharedCache(options) ? ".shared" : order.tenant.description
            let cache = "\(options.cacheFolder)/\(owner)"
            try FileManager.default.createDirectory(
                atPath: cache, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            spec.cache = cache
        }
        let result = try await run(spec, order.work, limit: options.buildTimeout + .seconds(30))
        guard result.ok else {
            throw BuildFailure(result, order.requirements, image: options.python, isLocal: true).error
        }
        return result
    }

    package func remove(_ names: [String]) async throws {
        throw EngineError(.storage, "environments could not be removed: \(names.joined(separator: ", "))")
    }

    package func reconcile() async throws {}

    private func run(_ spec: BuildSpec, _ work: String, limit: Duration) async throws -> BuildResult {
        try spec.write(to: work)
        guard let python = Self.find(options.python) else {
            throw EngineError(
                .dependency,
                "no Python interpreter '\(options.python)': install python3 or name one in runtime.python")
        }
        let program = try BuilderFiles.install(below: options.programFolder)
        let child = BuilderProcess(
            executable: python, arguments: ["-I", "-B", program + "/main.py", work],
            environment: Self.environment(of: ProcessInfo.processInfo.environment), log: work + "/log")
        let status = try await child.run(limit: limit)
        guard let status else { throw BuildFailure(.timeout, spec.requirements).error }
        if let result = try BuildResult.read(from: work) { return result }
        let log = FileManager.default.contents(atPath: work + "/log") ?? Data()
        let lines = String(decoding: log.suffix(4096), as: UTF8.self).split(separator: "\n").suffix(20)
        throw BuildFailure(
            .internal, spec.requirements, detail: "exit code \(status)", lines: lines.map(String.init)
        ).error
    }

    private static func find(_ python: String) -> String? {
        let manager = FileManager.default
        if python.contains("/") { return manager.isExecutableFile(atPath: python) ? python : nil }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(python)" }.first(where: manager.isExecutableFile(atPath:))
    }

    /// What a package's own code may see of the engine's environment: nothing that could hold a secret.
    private static func environment(of own: [String: String]) -> [String: String] {
        let names = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYENV_ROOT", "PYENV_VERSION"]
        return own.filter { names.contains($0.key) }
    }
}
