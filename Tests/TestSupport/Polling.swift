import Foundation

/// Asks again and again until the answer is there; throws with the question when it is not in time.
package func eventually<Value: Sendable>(
    _ question: String, within limit: Duration = .seconds(30), every pause: Duration = .milliseconds(20),
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value?
) async throws -> Value {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while true {
        if let value = try await body() { return value }
        guard clock.now < end else { throw TestFailure("not within \(limit): \(question)") }
        try await Task.sleep(for: pause)
    }
}

/// Waits until something holds.
package func waitUntil(
    _ question: String, within limit: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws -> Bool
) async throws {
    _ = try await eventually(question, within: limit) { try await body() ? true : nil }
}

/// Runs blocking work on a thread of its own, off the few threads of Swift concurrency.
package func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}
