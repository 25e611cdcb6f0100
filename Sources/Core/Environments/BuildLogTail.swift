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
    /// The most that is read of a file; the builder's program writes no more, but an image's own Python may.
    private static let limitBytes = 1 << 20
    /// A line that is longer is told in parts.
    private static let lineBytes = 64 << 10

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
        private var left = BuildLogTail.limitBytes
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
            while left > 0, let data = try? file.read(upToCount: min(left, BuildLogTail.chunkBytes)), !data.isEmpty {
                left -= data.count
                let end = data.lastIndex(of: 0x0A).map { $0 + 1 } ?? data.startIndex
                tell(data[..<end])
                rest += data[end...]
                if rest.count > BuildLogTail.lineBytes { tell([0x0A]) }
            }
        }

        /// Hands on what waits together with the end of its line.
        private func tell(_ end: some Sequence<UInt8>) {
            let count = rest.count
            rest += end
            guard rest.count > count else { return }
            log.append(String(decoding: rest, as: UTF8.self))
            rest = []
        }

        /// Hands on what is left.
        func finish() {
            read()
            isOver = true
            if !rest.isEmpty { tell([0x0A]) }
            // Nothing was written through this handle, so closing it loses nothing.
            try? file?.close()
        }
    }
}
