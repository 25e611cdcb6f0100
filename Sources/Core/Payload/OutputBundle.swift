import Crypto
import Synchronization

/// One file of a job as it rests in the job's bundle.
package struct StoredOutput: Sendable, Equatable {
    /// Its name, relative to the task's output folder.
    package var name: String
    /// Size of the plain bytes.
    package var size: Int
    /// SHA-256 of the plain bytes.
    package var sha256: [UInt8]
    /// Where its line begins in the bundle.
    package var position: Int
    /// Length of its line without the newline.
    package var encodedSize: Int
    /// SHA-256 of that line.
    package var digest: [UInt8]

    package init(name: String, size: Int, sha256: [UInt8], position: Int, encodedSize: Int, digest: [UInt8]) {
        self.name = name
        self.size = size
        self.sha256 = sha256
        self.position = position
        self.encodedSize = encodedSize
        self.digest = digest
    }
}

/// The files of a job as they are to be stored.
package struct StoredOutputs: Sendable, Equatable {
    /// The files, in the order of the bundle.
    package var files: [StoredOutput]
    /// The bundle's text, while it is not a durable file.
    package var inline: [UInt8]?

    package init(files: [StoredOutput], inline: [UInt8]?) {
        self.files = files
        self.inline = inline
    }
}

/// Packs the files of a task, as they come in, into one text: each file is a line of base64 of zlib.
///
/// One text for all, so that a job with a thousand files costs one fsync. A short one stays in memory and rides in the
/// commit of the job's end; a longer one is written to a draft as it grows, so memory stays bounded. For one caller at
/// a time; it may block.
package final class OutputBundle: Sendable {
    /// A piece of a file.
    package struct Piece: Sendable {
        /// The file's name where it begins, else nil.
        package var name: String?
        /// Its bytes.
        package var bytes: [UInt8]
        /// Whether the file ends with it.
        package var isLast: Bool

        package init(name: String?, bytes: [UInt8], isLast: Bool) {
            self.name = name
            self.bytes = bytes
            self.isLast = isLast
        }
    }

    private struct Line {
        let name: String
        let position: Int
        var packer: OutputPacker
    }

    private struct State {
        var files: [StoredOutput] = []
        var line: Line?
        /// What was packed and is not in the draft.
        var text: [UInt8] = []
        var draft: ArtifactDraft?
        /// Bytes packed in all.
        var total = 0
    }

    private static let writeBytes = 512 * 1024
    private static let newline = UInt8(ascii: "\n")

    private let artifacts: ArtifactStore
    private let inlineMaxBytes: Int
    private let state = Mutex(State())

    /// Makes an empty bundle that stays in memory up to `inlineMaxBytes`.
    package init(artifacts: ArtifactStore, inlineMaxBytes: Int) {
        self.artifacts = artifacts
        self.inlineMaxBytes = inlineMaxBytes
    }

    /// Takes the next piece.
    ///
    /// - Throws: `EngineError` with code `storageFull` or `storage`.
    package func append(_ piece: Piece) throws {
        try state.withLock { state in
            if let name = piece.name {
                let packer = try OutputPacker(first: piece.bytes, isWhole: piece.isLast)
                state.line = Line(name: name, position: state.total, packer: packer)
            }
            guard var line = state.line else { throw EngineError(.internalFault, "A file's part has no file.") }
            state.line = nil
            let before = state.text.count
            try line.packer.feed(piece.bytes, isLast: piece.isLast, into: &state.text)
            state.total += state.text.count - before
            if piece.isLast {
                state.files.append(
                    StoredOutput(
                        name: line.name, size: line.packer.plainSize, sha256: line.packer.plainDigest,
                        position: line.position, encodedSize: state.total - line.position,
                        digest: line.packer.textDigest))
                state.text.append(Self.newline)
                state.total += 1
            } else {
                state.line = line
            }
            if state.total > inlineMaxBytes, state.draft != nil || state.text.count >= inlineMaxBytes {
                try spill(&state, atLeast: Self.writeBytes)
            }
        }
    }

    /// Ends the bundle; when this returns a long one is a durable file of the job.
    package func finish(as id: JobID) throws -> StoredOutputs {
        try state.withLock { state in
            // A file whose end did not come is none.
            guard let draft = state.draft else { return StoredOutputs(files: state.files, inline: state.text) }
            try spill(&state, atLeast: 0)
            try draft.publish(id, .outputs)
            state.draft = nil
            return StoredOutputs(files: state.files, inline: nil)
        }
    }

    private func spill(_ state: inout State, atLeast least: Int) throws {
        let draft = try state.draft ?? artifacts.draft()
        state.draft = draft
        guard state.text.count > least || least == 0 else { return }
        try state.text.withUnsafeBytes { try draft.write($0) }
        state.text.removeAll(keepingCapacity: true)
    }
}

/// Packs one file, piece by piece.
private struct OutputPacker {
    private static let smallBytes = 8 * 1024
    private static let probeBytes = 64 * 1024
    /// A multiple of three, so that what is encoded in the middle of a file needs no padding.
    private static let chunkBytes = 48 * 1024

    private let deflater: Deflater
    private let chunk = ByteStore(Self.chunkBytes)
    /// Deflated bytes that wait until there are three of them.
    private var carry: [UInt8] = []
    private var plainHash = SHA256()
    private var textHash = SHA256()
    private(set) var plainSize = 0
    private(set) var plainDigest: [UInt8] = []
    private(set) var textDigest: [UInt8] = []

    init(first: [UInt8], isWhole: Bool) throws {
        if isWhole, first.count <= Self.smallBytes {
            deflater = try .lent(.small)
        } else if !isWhole, try Self.isNoise(first) {
            deflater = try .lent(.stored)
        } else {
            deflater = try .lent(.fast)
        }
    }

    /// Whether deflating saves less than a tenth.
    private static func isNoise(_ bytes: [UInt8]) throws -> Bool {
        let sample = Array(bytes.prefix(probeBytes))
        guard sample.count == probeBytes else { return false }
        return try PayloadCodec.deflatedSize(sample) * 10 > probeBytes * 9
    }

    mutating func feed(_ bytes: [UInt8], isLast: Bool, into text: inout [UInt8]) throws {
        let before = text.count
        plainSize += bytes.count
        bytes.withUnsafeBytes { plainHash.update(bufferPointer: $0) }
        var carry = carry
        try bytes.withUnsafeBufferPointer { bytes in
            try deflater.feed(bytes, isLast: isLast, chunk: chunk.buffer) { Self.encode($0, &carry, into: &text) }
        }
        if isLast {
            text.append(contentsOf: PayloadCodec.encodeBase64(carry))
            carry = []
            deflater.giveBack()
        }
        self.carry = carry
        text.withUnsafeBytes { textHash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[before...])) }
        if isLast {
            plainDigest = Array(plainHash.finalize())
            textDigest = Array(textHash.finalize())
        }
    }

    /// Appends the encoding of whole groups of three bytes, and keeps the rest.
    private static func encode(
        _ bytes: UnsafeBufferPointer<UInt8>, _ carry: inout [UInt8], into text: inout [UInt8]
    ) {
        var rest = bytes[...]
        while !carry.isEmpty, carry.count < 3, let byte = rest.popFirst() { carry.append(byte) }
        if carry.count == 3 {
            PayloadCodec.appendBase64(carry, to: &text)
            carry.removeAll(keepingCapacity: true)
        }
        let whole = rest.count - rest.count % 3
        PayloadCodec.appendBase64(UnsafeBufferPointer(rebasing: rest.prefix(whole)), to: &text)
        carry.append(contentsOf: rest.dropFirst(whole))
    }
}

/// Memory that is freed with its owner.
private final class ByteStore {
    let buffer: UnsafeMutableBufferPointer<UInt8>

    init(_ count: Int) { buffer = .allocate(capacity: count) }

    deinit { buffer.deallocate() }
}
