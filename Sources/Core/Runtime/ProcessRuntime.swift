import Foundation
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Runs sandboxes as local processes: the same runner without a container.
///
/// It is no security boundary: tasks run as the engine's own user. It serves machines without a container engine.
package final class ProcessRuntime: SandboxRuntime {
    /// Where it runs and what it starts.
    package struct Options: Sendable {
        /// The Python interpreter, a path or a name on PATH.
        package var python: String
        /// The folder of the runner's files.
        package var runnerFolder: String
        package var heartbeatSeconds: Double
        package var reconnectSeconds: Double
        /// Whether runners keep what tasks share on huge pages.
        package var hugePages = true

        package init(python: String, runnerFolder: String, heartbeatSeconds: Double, reconnectSeconds: Double) {
            self.python = python
            self.runnerFolder = runnerFolder
            self.heartbeatSeconds = heartbeatSeconds
            self.reconnectSeconds = reconnectSeconds
        }
    }

    package let name = "process"
    /// How long killed processes are waited for.
    private static let endLimit = Duration.seconds(2)
    private let options: Options
    private let logger: Logger
    /// Where the sandboxes' folders are; each holds the process id of its supervisor.
    private let folder: String

    package init(options: Options, folder: String, logger: Logger) {
        self.options = options
        self.folder = folder
        self.logger = logger
    }

    /// Refuses: a local process sees the folders of this machine, and at other places none.
    package func resolve(mount: JobRequest.Mount) throws -> JobRequest.Mount {
        throw EngineError(
            .notAllowed,
            "tasks run as local processes here, for which nothing can be mounted: they see "
                + "\(mount.source) as it is, as far as they may")
    }

    package func check() async throws {
        guard interpreter() != nil else {
            throw EngineError(
                .startFailed,
                "no Python interpreter '\(options.python)': install python3 or name one in runtime.python")
        }
    }

    package func hostSize() async throws -> HostSize { CgroupLimits.ofThisProcess().bounding(.ofThisMachine) }

    package func resolve(image: String) async throws -> ResolvedImage {
        ResolvedImage(reference: "", digest: "")
    }

    package func refusal(ofNetwork mode: String) -> String? {
        mode == Configuration.Sandbox.NetworkMode.none.rawValue
            ? nil : "local processes have the host's network: a mode of their own needs the docker runtime"
    }

    package func start(_ specification: SandboxSpecification) async throws -> StartedSandbox {
        guard let interpreter = interpreter() else {
            try await check()
            throw EngineError(.startFailed, "no Python interpreter")
        }
        let folder = specification.socketFolder
        let work = folder + "/tmp"
        try FileManager.default.createDirectory(
            atPath: work, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let arguments = SupervisorArguments(
            sandbox: specification.id.description, socket: folder + "/s", userIDs: [],
            slots: specification.sandboxClass.slots,
            heartbeatSeconds: options.heartbeatSeconds, reconnectSeconds: options.reconnectSeconds,
            temporaryFolder: work, runtime: name)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: interpreter)
        let program = specification.program
        process.arguments = program.options + ["\(options.runnerFolder)/\(program.rawValue)", arguments.text]
        process.currentDirectoryURL = URL(fileURLWithPath: work)
        let added = program.environment(
            memoryBytes: specification.sandboxClass.memoryBytes, hugePages: options.hugePages)
        process.environment = Self.environment(of: ProcessInfo.processInfo.environment)
            .merging(added.map { ($0.name, $0.value) }) { $1 }
        process.standardInput = FileHandle.nullDevice
        let log = folder + "/log"
        guard FileManager.default.createFile(atPath: log, contents: nil, attributes: [.posixPermissions: 0o600]),
            let output = FileHandle(forWritingAtPath: log)
        else { throw EngineError(.startFailed, "cannot write \(log)") }
        process.standardOutput = output
        process.standardError = output
        do {
            try process.run()
        } catch {
            throw EngineError(.startFailed, "cannot start \(interpreter): \(error)", cause: error)
        }
        let pid = process.processIdentifier
        let reference = "\(pid):\(ProcessTable.startTime(of: pid) ?? 0)"
        try reference.write(toFile: folder + "/pid", atomically: true, encoding: .utf8)
        return StartedSandbox(handle: SandboxHandle(id: specification.id, reference: reference), peer: pid)
    }

    package func destroy(_ handle: SandboxHandle) async throws {
        guard let pid = Self.livingProcess(handle) else { return }
        var victims = ProcessTable.descendants(of: pid) + [pid]
        for victim in victims { kill(victim, SIGKILL) }
        // What was forked while the list was read has init as its parent now, or is found again here.
        let late = ProcessTable.descendants(of: pid)
        for victim in late { kill(victim, SIGKILL) }
        victims += late
        // A signal is only sent by then; a process that the kernel cannot end now is left to it.
        let deadline = ContinuousClock.now + Self.endLimit
        while ContinuousClock.now < deadline, victims.contains(where: { !ProcessTable.isDead($0) }) {
            guard (try? await Task.sleep(for: .milliseconds(1))) != nil else { return }
        }
    }

    package func inspect(_ handle: SandboxHandle) async throws -> SandboxCondition {
        guard let pid = Self.livingProcess(handle) else { return .gone(reason: "the supervisor's process ended") }
        return ProcessTable.isStopped(pid) ? .paused : .running(peer: pid)
    }

    package func diagnose(_ handle: SandboxHandle) async -> String {
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(handle.id)/log") else { return "" }
        return String(decoding: data.suffix(4096), as: UTF8.self)
    }

    package func leftovers() async throws -> [SandboxHandle] {
        var handles: [SandboxHandle] = []
        // A folder that cannot be listed has no sandboxes of ours.
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard let id = SandboxID(entry),
                let data = FileManager.default.contents(atPath: "\(folder)/\(entry)/pid")
            else { continue }
            handles.append(SandboxHandle(id: id, reference: String(decoding: data, as: UTF8.self)))
        }
        return handles
    }

    /// The process of a handle, unless it ended and its number went to another one.
    private static func livingProcess(_ handle: SandboxHandle) -> Int32? {
        let parts = handle.reference.split(separator: ":")
        guard parts.count == 2, let pid = Int32(parts[0]), let started = UInt64(parts[1]),
            ProcessTable.startTime(of: pid) == started, !ProcessTable.isDead(pid)
        else { return nil }
        return pid
    }

    private func interpreter() -> String? {
        if options.python.contains("/") {
            return FileManager.default.isExecutableFile(atPath: options.python) ? options.python : nil
        }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in path.split(separator: ":") {
            let candidate = "\(folder)/\(options.python)"
            if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
        }
        return nil
    }

    /// What tasks may see of the engine's own environment: nothing that could hold a secret.
    private static func environment(of own: [String: String]) -> [String: String] {
        // The operator's own libraries, such as CUDA's, are found by the loader of the runner's interpreter.
        let names = [
            "PATH", "LANG", "LC_ALL", "TZ", "PYENV_ROOT", "PYENV_VERSION", "SSL_CERT_FILE", "SSL_CERT_DIR",
            "LD_LIBRARY_PATH",
        ]
        return own.filter { names.contains($0.key) }
    }
}
