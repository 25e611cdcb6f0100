import Foundation

/// A tar archive that is written while it is sent, so that large files are never in memory.
package struct ArchiveStream: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    /// One entry; folders come before what is in them.
    package enum Entry: Sendable {
        case folder(String, mode: Int)
        case bytes(String, [UInt8], mode: Int)
        /// A file of this machine, whose size must not change until it is sent.
        case file(String, path: String, sizeBytes: Int, mode: Int)
        case link(String, target: String)
    }

    let entries: [Entry]

    package init(_ entries: [Entry]) { self.entries = entries }

    package func makeAsyncIterator() -> Iterator { Iterator(entries: entries[...]) }

    /// Writes entry by entry.
    package struct Iterator: AsyncIteratorProtocol {
        private static let chunkBytes = 256 << 10
        /// What the header has room for.
        private static let fileBytesMax = 8 << 30

        private var entries: ArraySlice<Entry>
        private var open: (handle: FileHandle, path: String, left: Int, size: Int)?
        private var isOver = false

        fileprivate init(entries: ArraySlice<Entry>) { self.entries = entries }

        package mutating func next() async throws -> [UInt8]? {
            if open != nil { return try nextChunk() }
            guard let entry = entries.popFirst() else {
                defer { isOver = true }
                return isOver ? nil : TarArchive.end
            }
            switch entry {
            case .folder(let name, let mode): return TarArchive.folder(name, mode: mode)
            case .link(let name, let target): return TarArchive.link(name, to: target)
            case .bytes(let name, let content, let mode):
                return TarArchive.fileStart(name, sizeBytes: content.count, mode: mode) + content
                    + TarArchive.padding(after: content.count)
            case .file(let name, let path, let size, let mode):
                guard size < Self.fileBytesMax else {
                    throw EngineError(.dependency, "\(path) is too large to be sent to the container engine (8 GiB)")
                }
                if size > 0 {
                    guard let handle = FileHandle(forReadingAtPath: path) else { throw Self.unreadable(path) }
                    open = (handle, path, size, size)
                }
                return TarArchive.fileStart(name, sizeBytes: size, mode: mode)
            }
        }

        private mutating func nextChunk() throws -> [UInt8] {
            guard let (handle, path, left, size) = open else { return [] }
            guard let data = try handle.read(upToCount: Swift.min(left, Self.chunkBytes)), !data.isEmpty else {
                throw Self.unreadable(path)
            }
            open?.left = left - data.count
            guard left == data.count else { return Array(data) }
            open = nil
            try handle.close()
            return Array(data) + TarArchive.padding(after: size)
        }

        private static func unreadable(_ path: String) -> EngineError {
            EngineError(.dependency, "\(path) cannot be read, or changed while it was sent to the container engine")
        }
    }
}
