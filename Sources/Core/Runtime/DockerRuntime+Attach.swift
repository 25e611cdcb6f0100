import Synchronization

extension DockerRuntime {
    package func attach(_ handle: SandboxHandle) async throws -> any SandboxStream {
        try await openStream(handle.id, container: handle.reference)
    }

    /// Attaches to a container's input and output, whether it runs already or is yet to be started.
    func openStream(_ id: SandboxID, container: String) async throws -> any SandboxStream {
        let tail = errorTails.withLock { tails in
            let known = tails[id] ?? ErrorTail()
            tails[id] = known
            return known
        }
        return AttachedStream(try await client.attach(container), errors: tail)
    }

    /// What a sandbox's supervisor wrote to standard error last; nil where the container engine keeps it.
    func tail(of id: SandboxID) -> String? { errorTails.withLock { $0[id] }?.text }

    func forgetTail(of id: SandboxID) { errorTails.withLock { $0[id] = nil } }
}

/// The end of what a supervisor wrote to standard error: for messages about sandboxes that fail.
final class ErrorTail: Sendable {
    private static let limitBytes = 8192
    private let bytes = Mutex<[UInt8]>([])

    var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }

    func append(_ more: [UInt8]) {
        bytes.withLock { kept in
            kept += more.suffix(Self.limitBytes)
            if kept.count > Self.limitBytes { kept.removeFirst(kept.count - Self.limitBytes) }
        }
    }
}

/// A container's input and output over the Engine API.
private final class AttachedStream: SandboxStream {
    private let attachment: DockerAttachment
    private let errors: ErrorTail

    init(_ attachment: DockerAttachment, errors: ErrorTail) {
        self.attachment = attachment
        self.errors = errors
    }

    func read(_ take: @Sendable ([UInt8]) async throws -> Void) async throws {
        for try await piece in attachment.frames {
            switch piece.stream {
            case .standardOutput: try await take(piece.bytes)
            case .standardError: errors.append(piece.bytes)
            case .standardInput: break
            }
        }
    }

    func write(_ bytes: [UInt8]) async throws { try await attachment.write(bytes) }

    func close() { attachment.close() }
}
