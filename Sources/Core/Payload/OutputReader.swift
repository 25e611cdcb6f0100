import Crypto
import Synchronization

/// Reads one file out of a job's bundle, in pieces; it may block.
package final class OutputReader: Sendable {
    private enum Source: Sendable {
        case text([UInt8])
        case file(RegularFile)
    }

    private struct State: ~Copyable {
        var reader: PackedReader
        /// Where the next slice of the line begins.
        var position = 0
        /// Plain bytes to pass over, then bytes to hand out.
        var skip: Int
        var left: Int
    }

    /// Base64 characters read at once: little, since a thousand plain bytes may come of each.
    private static let sliceBytes = 4096
    private static let checkBytes = 1 << 20

    /// The file.
    package let output: StoredOutput
    private let source: Source
    private let state: Mutex<State>

    /// Opens a file of a job, to read a part of its plain bytes; `check` must be called before `next`.
    ///
    /// - Parameters:
    ///   - inline: The bundle's text where the store holds it.
    ///   - range: Which of the plain bytes; within the file's size.
    /// - Throws: `EngineError` with code `artifactCorrupt` when the bundle is missing or too short.
    package init(
        _ output: StoredOutput, of id: JobID, in artifacts: ArtifactStore, inline: [UInt8]?, range: Range<Int>
    ) throws {
        self.output = output
        let end = output.position + output.encodedSize
        if let inline {
            guard end <= inline.count else { throw ArtifactStore.corrupt(id, .outputs, "is shorter than it was") }
            source = .text(Array(inline[output.position..<end]))
        } else {
            let shard = try artifacts.root.folderIfPresent(ArtifactStore.shardName(of: id))
            guard let file = try shard?.open(ArtifactStore.fileName(id, .outputs)) else {
                throw ArtifactStore.corrupt(id, .outputs, "is missing")
            }
            guard end <= file.size else { throw ArtifactStore.corrupt(id, .outputs, "is shorter than it was") }
            source = .file(file)
        }
        let reader = try PackedReader(encodedSize: Self.sliceBytes, limitBytes: output.size)
        state = Mutex(State(reader: reader, skip: range.lowerBound, left: range.count))
    }

    /// Compares the checksum of what is stored, so that nothing of an altered file is handed out.
    ///
    /// - Throws: `EngineError` with code `artifactCorrupt`.
    package func check() throws {
        var hash = SHA256()
        var position = 0
        while position < output.encodedSize {
            let count = min(Self.checkBytes, output.encodedSize - position)
            try read(position, count) { hash.update(bufferPointer: $0) }
            position += count
        }
        guard Array(hash.finalize()) == output.digest else { throw corrupt }
    }

    /// The next plain bytes, at least `least` of them unless the end comes before; nil at the end.
    package func next(least: Int) throws -> [UInt8]? {
        try state.withLock { state in
            guard state.left > 0 else { return nil }
            var bytes: [UInt8] = []
            while bytes.count < least, state.left > 0 {
                let count = min(Self.sliceBytes, output.encodedSize - state.position)
                guard count > 0 else { throw corrupt }
                let isLast = state.position + count == output.encodedSize
                let (position, passed, wanted) = (state.position, state.skip, state.left)
                var (skip, left) = (passed, wanted)
                try read(position, count) { slice in
                    do {
                        try state.reader.feed(slice.bindMemory(to: UInt8.self), isLast: isLast) { piece in
                            let dropped = min(skip, piece.count)
                            let kept = piece.dropFirst(dropped).prefix(left)
                            bytes.append(contentsOf: kept)
                            skip -= dropped
                            left -= kept.count
                        }
                    } catch let error as EngineError where error.code != .internalFault {
                        // What is stored was valid once: no fault of the request.
                        throw corrupt
                    }
                }
                state.skip = skip
                state.left = left
                state.position = position + count
            }
            return bytes
        }
    }

    private func read(_ position: Int, _ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        switch source {
        case .text(let text):
            try text.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[position..<position + count])) }
        case .file(let file):
            try withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { buffer in
                guard try file.read(into: buffer, at: output.position + position) == count else { throw corrupt }
                try body(UnsafeRawBufferPointer(buffer))
            }
        }
    }

    private var corrupt: EngineError {
        EngineError(.artifactCorrupt, "The stored file '\(output.name)' is not what was written; run the job again.")
    }
}
