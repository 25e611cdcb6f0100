import Synchronization

/// The containers that work for an engine for a moment and run no tasks.
///
/// They are named and labelled as sandboxes, so that one that a crash leaves is found and removed like them; while they
/// are at work nobody is to take them for leftovers.
final class HelperContainers: Sendable {
    private let working = Mutex<Set<SandboxID>>([])

    /// Runs `body` with the identity of a container that is left alone until it returns.
    func with<Value>(_ body: (SandboxID) async throws -> Value) async rethrows -> Value {
        let id = SandboxID()
        working.withLock { _ = $0.insert(id) }
        defer { working.withLock { _ = $0.remove(id) } }
        return try await body(id)
    }

    func contains(_ id: SandboxID) -> Bool { working.withLock { $0.contains(id) } }
}
