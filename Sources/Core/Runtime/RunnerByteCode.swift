import Foundation
import Synchronization

/// Copies of the runner with the byte code of one image's Python, so that sandboxes of that image need not compile it.
///
/// The byte code is made in a container of the image and mounted, read-only, into sandboxes of the same image only: what
/// an image's Python writes can harm nobody but those who run that image anyway.
final class RunnerByteCode: Sendable {
    /// More than the runner's own files ever come to.
    private static let filesMax = 128
    private static let bytesMax = 8 << 20
    private static let draftPrefix = "draft-"

    private let source: URL
    private let copies: URL
    private let tried = Mutex<Set<String>>([])

    /// - Parameter runnerFolder: The runner's files, in a folder that is named for their version.
    init(runnerFolder: String) {
        source = URL(fileURLWithPath: runnerFolder)
        copies = source.deletingLastPathComponent().appendingPathComponent("\(source.lastPathComponent).bytecode")
    }

    /// Removes copies in the making that a crash left, of this version of the runner and of others.
    ///
    /// Only the owner of the data folder calls this, before anything is staged.
    static func removeDrafts(in folder: String) throws {
        let manager = FileManager.default
        let root = URL(fileURLWithPath: folder)
        guard manager.fileExists(atPath: root.path) else { return }
        for name in try manager.contentsOfDirectory(atPath: root.path) where name.hasSuffix(".bytecode") {
            let copies = root.appendingPathComponent(name)
            for draft in try manager.contentsOfDirectory(atPath: copies.path) where draft.hasPrefix(Self.draftPrefix) {
                try manager.removeItem(at: copies.appendingPathComponent(draft))
            }
        }
    }

    /// The folder to mount for an image: the copy with its byte code where there is one.
    func folder(for imageID: String) -> String {
        let copy = copies.appendingPathComponent(Self.name(of: imageID))
        return FileManager.default.fileExists(atPath: copy.path) ? copy.path : source.path
    }

    /// Makes a copy whose byte code an image's Python is to write; nil when there is one, or when that was tried before.
    func stage(for imageID: String) throws -> URL? {
        guard folder(for: imageID) == source.path, tried.withLock({ $0.insert(imageID).inserted }) else { return nil }
        let manager = FileManager.default
        try manager.createDirectory(
            at: copies, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        let draft = copies.appendingPathComponent("\(Self.draftPrefix)\(UUID().uuidString)")
        try manager.copyItem(at: source, to: draft)
        let folder = draft.appendingPathComponent("__pycache__")
        try manager.createDirectory(at: folder, withIntermediateDirectories: false)
        // The container's root has no rights over other users' files, and the engine need not be root.
        try manager.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path)
        return draft
    }

    /// Takes a copy into use, if nothing but plain byte code was added to it.
    ///
    /// - Throws: ``EngineError`` when it holds anything else.
    func adopt(_ draft: URL, for imageID: String) throws {
        let manager = FileManager.default
        let folder = draft.appendingPathComponent("__pycache__")
        let names = try manager.contentsOfDirectory(atPath: folder.path)
        var bytes = 0
        for name in names {
            let attributes = try manager.attributesOfItem(atPath: folder.appendingPathComponent(name).path)
            guard attributes[.type] as? FileAttributeType == .typeRegular, name.hasSuffix(".pyc") else {
                throw EngineError(.startFailed, "the image's Python wrote something that is no byte code: \(name)")
            }
            bytes += attributes[.size] as? Int ?? 0
        }
        guard !names.isEmpty, names.count <= Self.filesMax, bytes <= Self.bytesMax else {
            throw EngineError(.startFailed, "the image's Python wrote \(names.count) files of \(bytes) bytes")
        }
        try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
        try manager.moveItem(at: draft, to: copies.appendingPathComponent(Self.name(of: imageID)))
    }

    /// Removes a copy that is of no use.
    func discard(_ draft: URL) {
        // What stays has a name that nothing looks for.
        try? FileManager.default.removeItem(at: draft)
    }

    private static func name(of imageID: String) -> String {
        String(imageID.replacing("sha256:", with: "").filter(\.isHexDigit).prefix(32))
    }
}
