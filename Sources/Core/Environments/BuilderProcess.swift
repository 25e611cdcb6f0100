import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The builder's program as a child of the engine.
struct BuilderProcess {
    var executable: String
    var arguments: [String]
    var environment: [String: String]
    /// The file that gets its output.
    var log: String

    /// Runs it to its end; nil when it did not end in time.
    func run(limit: Duration) async throws -> Int32? {
        guard FileManager.default.createFile(atPath: log, contents: nil, attributes: [.posixPermissions: 0o600]),
            let output = FileHandle(forWritingAtPath: log)
        else { throw EngineError(.storage, "cannot write \(log)") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        let ending = Ending()
        process.terminationHandler = { ending.arrive($0.terminationStatus) }
        do {
            try process.run()
        } catch {
            throw EngineError(.dependency, "cannot start \(executable): \(error)", cause: error)
        }
        let pid = process.processIdentifier
        return try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask {
                await withTaskCancellationHandler {
                    await ending.wait()
                } onCancel: {
                    Self.end(pid, ending)
                }
            }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            let status = try await group.next() ?? nil
            group.cancelAll()
            return status
        }
    }

    /// Ends the program and all below it, unless it has ended by itself.
    private static func end(_ pid: Int32, _ ending: Ending) {
        guard !ending.isOver else { return }
        for victim in ProcessTable.descendants(of: pid) + [pid] { kill(victim, SIGKILL) }
    }
}

/// The exit status of a process, awaited by one.
private final class Ending: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Int32?, Never>)
        case over(Int32)
    }

    private let state = Mutex(State.open)

    var isOver: Bool {
        state.withLock { if case .over = $0 { true } else { false } }
    }

    func arrive(_ status: Int32) {
        let waiter: CheckedContinuation<Int32?, Never>? = state.withLock { state in
            defer { state = .over(status) }
            if case .awaited(let waiter) = state { return waiter }
            return nil
        }
        waiter?.resume(returning: status)
    }

    func wait() async -> Int32? {
        await withCheckedContinuation { continuation in
            let status: Int32? = state.withLock { state in
                if case .over(let status) = state { return status }
                state = .awaited(continuation)
                return nil
            }
            if let status { continuation.resume(returning: status) }
        }
    }
}
