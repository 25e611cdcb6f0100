import Foundation
import Synchronization

/// A SIGHUP that comes before the gateway listens for it: it must not end the process, and is made good later.
enum EarlyReload {
    private static let hasCome = Atomic<Bool>(false)

    /// Takes SIGHUP over from its default, which ends the process; `ReloadService` takes it over in its turn.
    static func watch() {
        // A handler may not be the first to look at it: that would initialise it there.
        _ = hasCome.load(ordering: .relaxed)
        signal(SIGHUP) { _ in EarlyReload.hasCome.store(true, ordering: .relaxed) }
    }

    /// Whether one has come since the last question.
    static func take() -> Bool { hasCome.exchange(false, ordering: .relaxed) }
}
