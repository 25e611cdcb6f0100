import Synchronization

/// Remembers for a few seconds the keys that were found, so that requests do not read the store each.
///
/// Unknown keys are not remembered: whoever guesses must not fill memory.
final class KeyCache: Sendable {
    private struct Entry {
        let key: StoredKey
        let until: ContinuousClock.Instant
    }

    private static let capacity = 10_000

    private let directory: any KeyDirectory
    private let lifetime: Duration
    private let entries = Mutex<[[UInt8]: Entry]>([:])

    init(directory: any KeyDirectory, lifetime: Duration) {
        self.directory = directory
        self.lifetime = lifetime
    }

    /// Forgets all keys, because some have changed.
    func forgetAll() { entries.withLock { $0.removeAll() } }

    func key(withHash hash: [UInt8]) async throws -> StoredKey? {
        let now = ContinuousClock.now
        if let entry = entries.withLock({ $0[hash] }), entry.until > now { return entry.key }
        guard let key = try await directory.key(withHash: hash) else {
            entries.withLock { _ = $0.removeValue(forKey: hash) }
            return nil
        }
        entries.withLock { entries in
            if entries.count >= Self.capacity { entries.removeAll() }
            entries[hash] = Entry(key: key, until: now + lifetime)
        }
        return key
    }
}
