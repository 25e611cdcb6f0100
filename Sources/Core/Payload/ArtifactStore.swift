import Crypto
import Foundation
import Synchronization

/// The folder where payloads rest: `<folder>/<shard>/<job id>.<in|out|log|files>.z64`, each a plain text of base64
/// of zlib; `files` has one on each line.
///
/// A shard is named by the first two random characters of the id. Files have mode 0600 and folders 0700; no symbolic
/// link below the folder is followed. Files are made under another name and renamed, so a reader never sees half.
package final class ArtifactStore: Sendable {
    /// What the artifact store must know.
    package struct Options: Sendable {
        /// The folder; made when it is missing.
        package var folder: String

        package init(folder: String) { self.folder = folder }
    }

    /// One artifact to write.
    package struct Item: Sendable {
        /// The job.
        package var id: JobID
        /// What it is.
        package var kind: ArtifactKind
        /// Base64 of zlib.
        package var text: [UInt8]

        package init(id: JobID, kind: ArtifactKind, text: [UInt8]) {
            self.id = id
            self.kind = kind
            self.text = text
        }
    }

    /// The shards that are there, by name.
    private struct Shards {
        /// Those that outlast a loss of power.
        var durable: Set<String> = []
        /// Those for which nobody has paid yet.
        var made: Set<String> = []
    }

    /// A folder of the same file system for files in the making; no shard has this name.
    static let draftFolder = ".drafts"
    private static let readChunkBytes = 256 * 1024

    let root: Folder
    let drafts: Folder
    private let shards = Mutex(Shards())
    let draftNumber = Atomic<Int>(0)

    /// Opens the folder and removes what a crash left in the making.
    package init(options: Options) throws {
        root = try Folder(makingPath: options.folder)
        root.keepFoldersApart()
        try root.make(Self.draftFolder)
        drafts = try root.folder(Self.draftFolder)
        for name in try drafts.names() { try drafts.remove(name) }
    }

    /// Writes an artifact so that it outlasts a loss of power once this returns.
    ///
    /// - Throws: `EngineError` with code `storageFull` or `storage`.
    package func writeDurably(_ id: JobID, _ kind: ArtifactKind, text: [UInt8]) throws {
        let shard = try shard(of: id, durable: true)
        try write(Item(id: id, kind: kind, text: text), to: shard, durable: true)
        try shard.synchronise()
    }

    /// Writes artifacts without making them durable; `syncAll` does that for all at once.
    package func writeLazily(_ items: [Item]) throws {
        // In place, without a draft: until the file is durable the row's copy is what is read, and what rewrites a torn
        // file. Drafts of all files in one folder would also make the file system search for each inode.
        for item in items {
            try shard(of: item.id, durable: false).write(
                item.text, as: Self.fileName(item.id, item.kind), durable: false, replacing: true)
        }
    }

    /// Makes everything written so far durable.
    package func syncAll() throws {
        let made = shards.withLock { $0.made }
        try root.synchroniseFileSystem()
        shards.withLock {
            $0.durable.formUnion(made)
            $0.made.subtract(made)
        }
    }

    /// Reads an artifact and compares its checksum.
    ///
    /// - Throws: `EngineError` with code `artifactCorrupt` when it is missing or differs, `payloadTooLarge` when it is
    ///   larger than `limit`.
    package func read(_ id: JobID, _ kind: ArtifactKind, digest: [UInt8], limit: Int) throws -> [UInt8] {
        var text: [UInt8] = []
        try read(id, kind, digest: digest, limit: limit, reserve: { text.reserveCapacity($0) }) { chunk, _ in
            text.append(contentsOf: chunk)
        }
        return text
    }

    /// Reads and inflates an artifact without holding its text; the output comes in pieces of at most 64 KiB.
    ///
    /// The checksum is compared at the end: what `sink` got counts only when this returns. Returns the inflated size.
    ///
    /// - Throws: `EngineError` as `read` does; `payloadTooLarge` also when it inflates beyond `inflatedLimit`.
    package func inflate(
        _ id: JobID, _ kind: ArtifactKind, digest: [UInt8], encodedLimit: Int, inflatedLimit: Int,
        sink: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) throws -> Int {
        var reader = try PackedReader(encodedSize: PackedReader.sliceBytes, limitBytes: inflatedLimit)
        do {
            try read(id, kind, digest: digest, limit: encodedLimit, reserve: { _ in }) { chunk, isLast in
                var offset = 0
                while offset < chunk.count {
                    let end = min(offset + PackedReader.sliceBytes, chunk.count)
                    let slice = UnsafeBufferPointer(rebasing: chunk[offset..<end])
                    try reader.feed(slice, isLast: isLast && end == chunk.count, sink: sink)
                    offset = end
                }
            }
            try reader.finish()
        } catch let error as EngineError where error.code == .invalidRequest {
            // What is stored was valid once: no fault of the request.
            throw Self.corrupt(id, kind, "differs from what was written")
        }
        return reader.total
    }

    /// Removes one artifact; one that is not there is no error.
    package func remove(_ id: JobID, _ kind: ArtifactKind) throws {
        guard let shard = try root.folderIfPresent(Self.shardName(of: id)) else { return }
        try shard.remove(Self.fileName(id, kind))
    }

    /// Removes all artifacts of a job.
    package func remove(_ id: JobID) throws {
        guard let shard = try root.folderIfPresent(Self.shardName(of: id)) else { return }
        for kind in ArtifactKind.allCases { try shard.remove(Self.fileName(id, kind)) }
    }

    /// How many bytes the file system has left for us.
    package func freeBytes() throws -> Int { try root.freeBytes() }

    /// The shard's name: the first two random characters of the id.
    static func shardName(of id: JobID) -> String { String(id.description.dropFirst(14).prefix(2)) }

    /// The file's name within its shard.
    static func fileName(_ id: JobID, _ kind: ArtifactKind) -> String { "\(id).\(kind.fileWord).z64" }

    func shard(of id: JobID, durable: Bool) throws -> Folder {
        let name = Self.shardName(of: id)
        let isThere = shards.withLock { $0.durable.contains(name) || !durable && $0.made.contains(name) }
        // Somebody may have removed it since.
        if isThere, let folder = try root.folderIfPresent(name) { return folder }
        try root.make(name)
        if durable { try root.synchronise() }
        let folder = try root.folder(name)
        shards.withLock { shards in
            if durable { shards.durable.insert(name) } else { shards.made.insert(name) }
            return
        }
        return folder
    }

    private func write(_ item: Item, to shard: Folder, durable: Bool) throws {
        let draft = "\(draftNumber.add(1, ordering: .relaxed).newValue)"
        do {
            try drafts.write(item.text, as: draft, durable: durable)
            try drafts.rename(draft, to: Self.fileName(item.id, item.kind), in: shard)
        } catch {
            do { try drafts.remove(draft) } catch { /* the next start removes it; the first error tells more */  }
            throw error
        }
    }

    private func read(
        _ id: JobID, _ kind: ArtifactKind, digest: [UInt8], limit: Int, reserve: (Int) -> Void,
        sink: (UnsafeBufferPointer<UInt8>, Bool) throws -> Void
    ) throws {
        guard let shard = try root.folderIfPresent(Self.shardName(of: id)),
            let file = try shard.open(Self.fileName(id, kind))
        else { throw Self.corrupt(id, kind, "is missing") }
        guard file.size <= limit else { throw PayloadFault.tooLarge("as it is stored", limitBytes: limit) }
        reserve(file.size)
        var hash = SHA256()
        let chunk = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(max(file.size, 1), Self.readChunkBytes), alignment: 16)
        defer { chunk.deallocate() }
        var offset = 0
        while offset < file.size {
            let count = try file.read(into: chunk, upTo: file.size - offset)
            guard count > 0 else { throw Self.corrupt(id, kind, "is shorter than it was") }
            offset += count
            let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count])
            hash.update(bufferPointer: bytes)
            try sink(bytes.bindMemory(to: UInt8.self), offset == file.size)
        }
        guard Array(hash.finalize()) == digest else { throw Self.corrupt(id, kind, "differs from its checksum") }
    }

    static func corrupt(_ id: JobID, _ kind: ArtifactKind, _ what: String) -> EngineError {
        EngineError(.artifactCorrupt, "The stored \(kind) of \(id) \(what); submit the job again.")
    }
}
