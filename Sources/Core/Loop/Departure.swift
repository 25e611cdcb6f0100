import Synchronization

/// Tells those who work for somebody that this one has gone, such as a client that closed its connection.
///
/// It happens once and for all. Waits that know of it end as if their time were over; what was begun goes on.
package final class Departure: Sendable {
    /// What is done when it happens, by a number to take it back by.
    private struct State {
        var hasHappened = false
        var nextNumber = 0
        var actions: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether it has happened.
    package var hasHappened: Bool { state.withLock { $0.hasHappened } }

    /// Makes it happen; all but the first call change nothing.
    package func happen() {
        let actions = state.withLock { state in
            state.hasHappened = true
            defer { state.actions = [:] }
            return state.actions
        }
        for action in actions.values { action() }
    }

    /// Calls `action` once when it happens, on whichever thread that is; at once when it has happened.
    ///
    /// - Returns: A number for `forget`; nil when `action` was called already.
    package func notify(_ action: @escaping @Sendable () -> Void) -> Int? {
        let number = state.withLock { state -> Int? in
            guard !state.hasHappened else { return nil }
            state.nextNumber += 1
            state.actions[state.nextNumber] = action
            return state.nextNumber
        }
        if number == nil { action() }
        return number
    }

    /// Takes an action back; it may be running at this moment.
    package func forget(_ number: Int) { state.withLock { _ = $0.actions.removeValue(forKey: number) } }
}
