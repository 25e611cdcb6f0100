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

    /// Ends the waits that are under way, as if their time were over.
    package func endWaits() { answer(nil) }

    /// Waits until the value arrives; gives nil when the time is over, or when whoever asked has gone.
    package func wait(
        upTo limit: Duration, on loop: any EventLoop, departure: Departure? = nil,
        isolation: isolated (any Actor)? = #isolation
    ) async throws -> Value? {
        if let outcome { return try outcome.get() }
        let waiter = nextWaiter
        nextWaiter += 1
        let bound = NIOLoopBound(self, eventLoop: loop)
        var timer: Scheduled<Void>?
        var notice: Int?
        let answer = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, EngineError>?, Never>) in
            // The call may have let other work of the loop run before this body: the value can be there by now, and
            // a timer that was set earlier could have found nobody.
            if let outcome = self.outcome { return continuation.resume(returning: outcome) }
            waiters[waiter] = continuation
            timer = loop.scheduleTask(in: .nanoseconds(Int64(max(0, limit.seconds) * 1e9))) {
                bound.value.waiters.removeValue(forKey: waiter)?.resume(returning: nil)
            }
            notice = departure?.notify {
                loop.execute { bound.value.waiters.removeValue(forKey: waiter)?.resume(returning: nil) }
            }
        }
        timer?.cancel()
        if let notice { departure?.forget(notice) }
        return try answer?.get()
    }

    private func settle(_ result: Result<Value, EngineError>) {
        guard outcome == nil else { return }
        outcome = result
        answer(result)
    }

    private func answer(_ result: Result<Value, EngineError>?) {
        let all = waiters
        waiters = [:]
        for waiter in all.values { waiter.resume(returning: result) }
    }
}
