import Foundation
import Synchronization

/// A process of `slipway` with what it has written so far.
final class RunningTool: Sendable {
    private struct State {
        var out: [UInt8] = []
        var err: [UInt8] = []
        var code: Int32?
    }

    private let state: Mutex<State>
    let pid: Int32

    init(_ binary: URL, _ arguments: [String], environment: [String: String], folder: URL) throws {
        let process = Process()
        process.executableURL = binary
        process.arguments = arguments
        process.environment = environment
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        let (out, err) = (Pipe(), Pipe())
        process.standardOutput = out
        process.standardError = err
        try process.run()
        pid = process.processIdentifier
        state = Mutex(State())
        let readers = [out, err].enumerated().map { place, pipe in
            let descriptor = pipe.fileHandleForReading.fileDescriptor
            return Thread { [self] in
                read(descriptor) { bytes in
                    state.withLock { if place == 0 { $0.out += bytes } else { $0.err += bytes } }
                }
                withExtendedLifetime(pipe) {}
                if place == 1 {
                    process.waitUntilExit()
                    let isExit = process.terminationReason == .exit
                    let code = process.terminationStatus
                    state.withLock { $0.code = isExit ? code : 128 + code }
                }
            }
        }
        for reader in readers { reader.start() }
    }

    var out: String { String(decoding: state.withLock { $0.out }, as: UTF8.self) }
    var err: String { String(decoding: state.withLock { $0.err }, as: UTF8.self) }

    /// Sends a signal.
    func signal(_ number: Int32) { kill(pid, number) }

    /// Waits until standard output holds a text.
    func waits(for text: String) async throws {
        let end = ContinuousClock.now + .seconds(240)
        while !out.contains(text) {
            guard ContinuousClock.now < end else { throw Unexpected("it has not written '\(text)': \(out) \(err)") }
            guard state.withLock({ $0.code }) == nil else { throw Unexpected("it ended without '\(text)': \(err)") }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits for the end of the process.
    func end() async throws -> CommandLineTool.Output {
        while true {
            let now = state.withLock { ($0.code, $0.out, $0.err) }
            if let code = now.0 {
                return .init(
                    code: code, out: String(decoding: now.1, as: UTF8.self), err: String(decoding: now.2, as: UTF8.self)
                )
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    struct Unexpected: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private func read(_ descriptor: Int32, _ take: ([UInt8]) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Foundation.read(descriptor, &buffer, buffer.count)
            if count > 0 { take(Array(buffer[..<count])) }
            if count == 0 || count < 0 && errno != EINTR { return }
        }
    }
}
