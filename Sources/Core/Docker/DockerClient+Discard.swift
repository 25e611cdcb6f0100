import Synchronization

/// Containers of no more use whose removal failed, by name.
final class OwedRemovals: Sendable {
    /// More are left to the sweep, which finds containers by their labels.
    private static let limit = 1000

    private let names = Mutex<Set<String>>([])

    var all: Set<String> { names.withLock { $0 } }

    func add(_ name: String) {
        names.withLock { names in
            if names.count < Self.limit { names.insert(name) }
        }
    }

    func settle(_ name: String) {
        names.withLock { _ = $0.remove(name) }
    }
}

extension DockerClient {
    /// Removes a container that is of no more use, also when the caller is cancelled; named volumes stay.
    ///
    /// One that stays, for the engine may be away for the moment, is tried again by `settleDiscards`.
    ///
    /// - Parameter failed: Told why it stays.
    package func discard(_ name: String, failed: @escaping @Sendable (any Error) -> Void) async {
        // A task of its own, which is awaited: the removal must not be cancelled together with what failed.
        await Task {
            do {
                try await removeContainer(name, force: true, withVolumes: true)
                owed.settle(name)
            } catch {
                owed.add(name)
                failed(error)
            }
        }.value
    }

    /// Removes what `discard` had to leave, for whoever is about to end: nobody would look for it before the next start.
    ///
    /// - Parameter limit: How long an engine that does not answer is waited for; what stays then is left.
    package func settleDiscards(within limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while !owed.all.isEmpty {
            do {
                // Past the circuit, which this closes when the engine is back.
                try await ping()
                for name in owed.all {
                    try await removeContainer(name, force: true, withVolumes: true)
                    owed.settle(name)
                }
            } catch {
                let pause = Duration.milliseconds(100)
                guard ContinuousClock.now + pause < deadline, (try? await Task.sleep(for: pause)) != nil else { return }
            }
        }
    }
}
