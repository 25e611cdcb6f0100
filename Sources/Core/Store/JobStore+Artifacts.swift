extension JobStore {
    /// The text of a job's artifact: the row's copy while it has one, else the file, checked.
    ///
    /// - Throws: `EngineError` with code `artifactCorrupt` when the text differs from its checksum.
    package func text(of artifact: StoredArtifact, _ id: JobID, _ kind: ArtifactKind) throws -> [UInt8] {
        if let inline = artifact.inline { return inline }
        return try artifacts.read(id, kind, digest: artifact.digest, limit: artifact.encodedSize)
    }
}
