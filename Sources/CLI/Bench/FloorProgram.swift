import Foundation
import Logging
import SlipwayCore

/// The floor: one fork for each task in the same hardened container over the same kind of socket, without an engine.
final class FloorProgram {
    private let runtime: DockerRuntime
    private let handle: SandboxHandle
    private let folder: URL
    private let connection: BlockingSocket
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    /// From the create call to the program's connection.
    let startDuration: Duration

    private init(
        runtime: DockerRuntime, handle: SandboxHandle, folder: URL, connection: BlockingSocket, took: Duration
    ) {
        self.runtime = runtime
        self.handle = handle
        self.folder = folder
        self.connection = connection
        startDuration = took
    }

    /// Starts the program in a container like a sandbox's.
    static func start(
        _ runtime: DockerRuntime, _ sandboxClass: SandboxClass, below base: URL
    ) async throws -> FloorProgram {
        let id = SandboxID()
        let folder = base.appendingPathComponent(id.description)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let clock = ContinuousClock()
        var began = clock.now
        var handle: SandboxHandle?
        let connection = try await BlockingSocket.accept(path: folder.path + "/s") {
            began = clock.now
            handle = try await runtime.start(
                SandboxSpecification(
                    id: id, sandboxClass: sandboxClass, socketFolder: folder.path,
                    userIDs: [59_000, 59_001, 59_002], program: .floor)
            ).handle
        }
        let took = clock.now - began
        guard let handle else { throw EngineError(.startFailed, "the floor's container has no handle") }
        return FloorProgram(
            runtime: runtime, handle: handle, folder: folder, connection: connection, took: took)
    }

    /// Runs one task: kind `c` for a pickle, `s` for source.
    func call(_ kind: Character, _ body: [UInt8]) throws -> [UInt8] {
        let request = [kind.asciiValue ?? 0] + body
        let length = UInt32(request.count)
        try connection.send((0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + request)
        var filled = 0
        while true {
            filled += try connection.receive(into: &buffer, at: filled)
            guard filled >= 4 else { continue }
            let whole = 4 + buffer[..<4].reduce(0) { $0 << 8 | Int($1) }
            if whole > buffer.count { buffer += [UInt8](repeating: 0, count: whole - buffer.count) }
            if filled >= whole { return Array(buffer[4..<whole]) }
        }
    }

    func stop() async {
        do {
            // Also where whoever measures was cancelled.
            try await Task { [runtime, handle] in try await runtime.destroy(handle) }.value
            try FileManager.default.removeItem(at: folder)
        } catch {
            FileHandle.standardError.write(Data("the floor's container was not removed: \(error)\n".utf8))
        }
    }
}
