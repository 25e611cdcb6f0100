import NIOCore

/// A value that arrives once, awaited on the loop with a limit.
///
/// Confined to the engine's loop: it is used by the engine's actor only.
package final class Signal<Value: Sendable> {
    private var outcome: Result<Value, EngineError>?
    private var waiters: [Int: CheckedContinuation<Result<Value, EngineError>?, Never>] = [:]
    private var nextWaiter = 0

    package init() {}

    /// Whether the value, or a failure, has arrived.
    package var isSet: Bool { outcome != nil }

    /// Delivers the value; later ones are ignored.
    package func succeed(_ value: Value) { settle(.success(value)) }

    /// Delivers a failure instead.
    package func fail(_ error: EngineError) { settle(.failure(error)) }

    /// Waits until the value arrives or the time is over, which gives nil.
    package func wait(
        upTo limit: Duration, on loop: any EventLoop, isolation: isolated (any Actor)? = #isolation
    ) async throws -> Value? {
        if let outcome { return try outcome.get() }
        let waiter = nextWaiter
        nextWaiter += 1
        let bound = NIOLoopBound(self, eventLoop: loop)
        let timer = loop.scheduleTask(in: .nanoseconds(Int64(max(0, limit.seconds) * 1e9))) {
            bound.value.waiters.removeValue(forKey: waiter)?.resume(returning: nil)
        }
        let outcome: Result<Value, EngineError>? = await withCheckedContinuation { continuation in
            // The runtime may have let others run before this body: the value may be there by now.
            if let outcome = self.outcome {
                continuation.resume(returning: outcome)
            } else {
                waiters[waiter] = continuation
            }
        }
        timer.cancel()
        return try outcome?.get()
    }

    private func settle(_ result: Result<Value, EngineError>) {
        guard outcome == nil else { return }
        outcome = result
        let all = waiters
        waiters = [:]
        for waiter in all.values { waiter.resume(returning: result) }
    }
}
