import Foundation

/// Follows the file that the builder's program writes its output to.
///
/// A file is read alike for builders in containers and for local processes, and costs the container engine nothing.
struct BuildLogTail: Sendable {
    /// The name of the file in a build's work folder.
    static let fileName = "output"
    /// How often the file is looked at.
    private static let interval = Duration.milliseconds(100)
    private static let chunkBytes = 64 << 10

    let path: String
    let log: BuildLog

    /// Runs a build and hands what it writes meanwhile to the log, to the last line.
    func follow<Value: Sendable>(_ build: () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let reader = Reader(path: path, log: log)
            group.addTask {
                // The sleep ends with the build, and the last read follows then.
                while (try? await Task.sleep(for: Self.interval)) != nil { await reader.read() }
            }
            do {
                let value = try await build()
                group.cancelAll()
                await reader.finish()
                return value
            } catch {
                group.cancelAll()
                await reader.finish()
                throw error
            }
        }
    }

    /// Where the reading stands.
    private actor Reader {
        private let path: String
        private let log: BuildLog
        private var file: FileHandle?
        private var rest: [UInt8] = []
        private var isOver = false

        init(path: String, log: BuildLog) {
            self.path = path
            self.log = log
        }

        /// Hands the lines on that have come.
        func read() {
            guard !isOver else { return }
            if file == nil { file = GuestFile.open(path) }
            guard let file else { return }
            // What cannot be read cannot be shown either; the builder's answer holds the output too.
            while let data = try? file.read(upToCount: BuildLogTail.chunkBytes), !data.isEmpty {
                rest += data
                guard let end = rest.lastIndex(of: 0x0A) else { continue }
                log.append(String(decoding: rest[...end], as: UTF8.self))
                rest.removeSubrange(...end)
            }
        }

        /// Hands on what is left.
        func finish() {
            read()
            isOver = true
            if !rest.isEmpty { log.append(String(decoding: rest, as: UTF8.self) + "\n") }
            // Nothing was written through this handle, so closing it loses nothing.
            try? file?.close()
        }
    }
}
