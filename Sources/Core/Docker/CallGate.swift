import Synchronization

/// Lets a few calls go out at a time; further ones wait their turn, first come, first served.
///
/// A call that finds room waits for nothing. The lock is held to take or to give a place, never during a call.
final class CallGate: Sendable {
    private struct Waiter {
        let number: UInt64
        let turn: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var free: Int
        var waiters: [Waiter] = []
        var lastNumber: UInt64 = 0
    }

    private let state: Mutex<State>

    /// - Parameter limit: The calls that may be out at a time; at least one may.
    init(limit: Int) {
        state = Mutex(State(free: max(1, limit)))
    }

    /// Runs a call when it is its turn, and lets the next one go when it has ended, however it did.
    ///
    /// - Throws: `CancellationError` when the task was cancelled before its turn; else what the call throws.
    func run<Value: Sendable>(_ call: () async throws -> Value) async throws -> Value {
        try await enter()
        defer { leave() }
        return try await call()
    }

    private func enter() async throws {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (turn: CheckedContinuation<Void, any Error>) in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    // Looked at under the lock: a cancellation after this finds the waiter.
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.free > 0 {
                        state.free -= 1
                        return .success(())
                    }
                    state.waiters.append(Waiter(number: number, turn: turn))
                    return nil
                }
                if let outcome { turn.resume(with: outcome) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.number == number }.map { state.waiters.remove(at: $0) }
            }
            waiter?.turn.resume(throwing: CancellationError())
        }
    }

    private func leave() {
        let next: Waiter? = state.withLock { state in
            guard !state.waiters.isEmpty else {
                state.free += 1
                return nil
            }
            // The place goes over to who has waited longest.
            return state.waiters.removeFirst()
        }
        next?.turn.resume()
    }
}
