/// An artifact in the making, written piece by piece; removed with this object unless it was published.
final class ArtifactDraft: Sendable {
    private let store: ArtifactStore
    private let file: WritableFile
    private let name: String

    fileprivate init(_ store: ArtifactStore, _ file: WritableFile, name: String) {
        self.store = store
        self.file = file
        self.name = name
    }

    deinit {
        // After `publish` there is nothing of this name; what cannot be removed goes at the next start.
        try? store.drafts.remove(name)
    }

    /// Appends bytes.
    func write(_ bytes: UnsafeRawBufferPointer) throws { try file.write(bytes) }

    /// Puts what was written on disk, so that publishing it does not have to wait for that.
    func synchronise() throws { try file.synchronise() }

    /// Makes the draft an artifact that outlasts a loss of power.
    func publish(_ id: JobID, _ kind: ArtifactKind) throws {
        let shard = try store.shard(of: id, durable: true)
        try file.synchronise()
        try store.drafts.rename(name, to: ArtifactStore.fileName(id, kind), in: shard)
        try shard.synchronise()
        // An input is read again only if its job is run again; a result often is at once.
        if kind == .input { file.forget() }
    }
}

extension ArtifactStore {
    /// Begins an artifact that is written piece by piece.
    func draft() throws -> ArtifactDraft {
        let name = "\(draftNumber.add(1, ordering: .relaxed).newValue)"
        return ArtifactDraft(self, try drafts.create(name), name: name)
    }
}
