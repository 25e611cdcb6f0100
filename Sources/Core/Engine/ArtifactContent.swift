/// The bytes of a file that a task left, read piece by piece.
public final class ArtifactContent: Sendable {
    /// The file.
    public let artifact: JobArtifact
    /// Which of its bytes are read.
    public let range: Range<Int>

    private let source: @Sendable () async throws -> [UInt8]?

    /// Makes the content of a file from what yields its pieces, and nil at the end.
    package init(
        artifact: JobArtifact, range: Range<Int>, source: @escaping @Sendable () async throws -> [UInt8]?
    ) {
        self.artifact = artifact
        self.range = range
        self.source = source
    }

    /// The next bytes, usually 128 KiB to a few MiB; nil at the end.
    ///
    /// - Throws: ``EngineError`` `.artifactCorrupt` when the file was altered since it was opened.
    public func next() async throws -> [UInt8]? { try await source() }

    /// All bytes of the range at once.
    public func bytes() async throws -> [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(range.count)
        while let piece = try await next() { all += piece }
        return all
    }
}
