import Crypto

/// A payload of ours that was packed; a long one is a durable file.
package struct KeptPayload: Sendable {
    /// What the row says of it, with its text where that is no file.
    package var stored: StoredArtifact
    /// Its whole text, where that was asked for.
    package var text: [UInt8]?

    init(stored: StoredArtifact, text: [UInt8]?) {
        self.stored = stored
        self.text = text
    }

    /// A payload that rides in its row.
    init(inRow payload: PackedPayload) {
        self.init(stored: StoredArtifact(payload, inline: true), text: payload.text)
    }
}

extension ArtifactStore {
    /// Packs bytes and writes them as they are packed, so that a long payload outlasts a loss of power once this returns.
    ///
    /// Memory stays bounded unless the text is asked for: of a large payload each copy costs as much as packing it.
    ///
    /// - Parameters:
    ///   - inlineMaxBytes: Up to this size the text stays in memory, for the row, and no file is made.
    ///   - keepsText: Whether the text is wanted, too.
    /// - Throws: `EngineError` with code `storageFull` or `storage`.
    package func keep(
        _ plain: [UInt8], as kind: ArtifactKind, of id: JobID, inlineMaxBytes: Int, keepsText: Bool
    ) throws -> KeptPayload {
        let packed = try packedDraft(inlineMaxBytes: inlineMaxBytes, keepsText: keepsText) { sink in
            try PayloadCodec.pack(plain, sink: sink)
        }
        return try packed.publish(as: kind, of: id, plainSize: plain.count)
    }

    /// Writes bytes that are one zlib stream already to a draft that is on disk when this returns.
    ///
    /// They are published once they are known to inflate, which may be found out meanwhile.
    ///
    /// - Throws: `EngineError` with code `storageFull` or `storage`.
    package func packedDraft(zlib: [UInt8], inlineMaxBytes: Int, keepsText: Bool) throws -> PackedDraft {
        let packed = try packedDraft(inlineMaxBytes: inlineMaxBytes, keepsText: keepsText) { sink in
            try PayloadCodec.encodeBase64(zlib, sink: sink)
        }
        try packed.draft?.synchronise()
        return packed
    }

    private func packedDraft(
        inlineMaxBytes: Int, keepsText: Bool, pieces: (PayloadCodec.TextSink) throws -> Void
    ) throws -> PackedDraft {
        var text: [UInt8] = []
        var draft: ArtifactDraft?
        var hash = SHA256()
        var size = 0
        try pieces { piece, bound in
            hash.update(bufferPointer: piece)
            size += piece.count
            if draft == nil, size > inlineMaxBytes {
                let new = try self.draft()
                try text.withUnsafeBytes { try new.write($0) }
                draft = new
                if !keepsText { text = [] }
            }
            try draft?.write(piece)
            guard draft == nil || keepsText else { return }
            if text.isEmpty { text.reserveCapacity(keepsText ? bound : min(bound, inlineMaxBytes)) }
            text.append(contentsOf: piece)
        }
        return PackedDraft(
            draft: draft, digest: Array(hash.finalize()), encodedSize: size, text: text, keepsText: keepsText)
    }
}

/// A packed payload that is no artifact yet; what there is of a file goes with it unless it is published.
package struct PackedDraft: Sendable {
    fileprivate let draft: ArtifactDraft?
    fileprivate let digest: [UInt8]
    fileprivate let encodedSize: Int
    fileprivate let text: [UInt8]
    fileprivate let keepsText: Bool

    /// Makes it a payload of a job that outlasts a loss of power.
    ///
    /// - Throws: `EngineError` with code `storageFull` or `storage`.
    package func publish(as kind: ArtifactKind, of id: JobID, plainSize: Int) throws -> KeptPayload {
        try draft?.publish(id, kind)
        let stored = StoredArtifact(
            digest: digest, encodedSize: encodedSize, plainSize: plainSize, inline: draft == nil ? text : nil)
        return KeptPayload(stored: stored, text: keepsText ? text : nil)
    }
}
