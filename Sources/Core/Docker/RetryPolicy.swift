/// How often and after which pauses an idempotent call is tried again: full jitter over a doubling range.
package struct RetryPolicy: Sendable, Equatable {
    /// Tries in all, the first one included.
    package var maxAttempts: Int
    /// The upper end of the first pause's range.
    package var baseDelay: Duration
    /// The largest upper end.
    package var maxDelay: Duration

    package init(maxAttempts: Int = 4, baseDelay: Duration = .milliseconds(50), maxDelay: Duration = .seconds(1)) {
        self.maxAttempts = max(1, maxAttempts)
        self.baseDelay = baseDelay
        self.maxDelay = maxDelay
    }

    /// One try only.
    package static let never = RetryPolicy(maxAttempts: 1)

    /// The pause after a failed attempt (counted from 1); nil when no attempt is left.
    package func delay(
        afterAttempt attempt: Int, using random: inout some RandomNumberGenerator
    ) -> Duration? {
        guard attempt >= 1, attempt < maxAttempts else { return nil }
        let ceiling = min(maxDelay, baseDelay * (1 << min(attempt - 1, 20)))
        return ceiling * Double.random(in: 0...1, using: &random)
    }

    /// Runs a call until it succeeds, fails for good, or attempts or time are used up; then its last error is thrown.
    ///
    /// - Parameters:
    ///   - budget: no attempt begins later than this after the first one began.
    ///   - isRetryable: whether an error may be different next time.
    package func run<Value>(
        budget: Duration, isRetryable: (any Error) -> Bool, _ call: () async throws -> Value
    ) async throws -> Value {
        let start = ContinuousClock.now
        var random = SystemRandomNumberGenerator()
        var attempt = 1
        while true {
            do {
                return try await call()
            } catch {
                guard isRetryable(error), let pause = delay(afterAttempt: attempt, using: &random),
                    ContinuousClock.now - start + pause < budget
                else { throw error }
                try await Task.sleep(for: pause)
                attempt += 1
            }
        }
    }
}
