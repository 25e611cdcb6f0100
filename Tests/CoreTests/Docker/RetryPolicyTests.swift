import SlipwayCore
import Testing

@Suite("Retry policy")
struct RetryPolicyTests {
    struct Failure: Error, Equatable { let number: Int }

    @Test("pauses stay within a doubling, capped range and end with the attempts", arguments: 0..<50)
    func delays(seed: UInt64) {
        var random = SplitMix(state: seed)
        let policy = RetryPolicy(maxAttempts: 5, baseDelay: .milliseconds(100), maxDelay: .milliseconds(300))
        for (attempt, ceiling) in [(1, 100), (2, 200), (3, 300), (4, 300)] {
            let delay = policy.delay(afterAttempt: attempt, using: &random)
            #expect(delay.map { $0 >= .zero && $0 <= .milliseconds(ceiling) } == true)
        }
        #expect(policy.delay(afterAttempt: 5, using: &random) == nil)
        #expect(RetryPolicy.never.delay(afterAttempt: 1, using: &random) == nil)
        #expect(RetryPolicy(maxAttempts: 1000).delay(afterAttempt: 999, using: &random) != nil)
    }

    @Test("a call is tried until it succeeds")
    func succeeds() async throws {
        var calls = 0
        let policy = RetryPolicy(maxAttempts: 4, baseDelay: .microseconds(1), maxDelay: .microseconds(1))
        let value = try await policy.run(budget: .seconds(3600), isRetryable: { _ in true }) {
            calls += 1
            if calls < 3 { throw Failure(number: calls) }
            return calls
        }
        #expect(value == 3)
    }

    @Test("the last error is thrown when attempts or time are used up, or the error is final")
    func givesUp() async {
        let policy = RetryPolicy(maxAttempts: 3, baseDelay: .microseconds(1), maxDelay: .microseconds(1))
        await expectFailure(3, policy, budget: .seconds(3600)) { _ in true }
        await expectFailure(1, policy, budget: .zero) { _ in true }
        await expectFailure(2, policy, budget: .seconds(3600)) { $0 as? Failure != Failure(number: 2) }
        await expectFailure(1, .never, budget: .seconds(3600)) { _ in true }
    }

    private func expectFailure(
        _ number: Int, _ policy: RetryPolicy, budget: Duration, _ isRetryable: (any Error) -> Bool
    ) async {
        var calls = 0
        do {
            try await policy.run(budget: budget, isRetryable: isRetryable) {
                calls += 1
                throw Failure(number: calls)
            }
            Issue.record("the call cannot succeed")
        } catch {
            #expect(error as? Failure == Failure(number: number))
        }
    }
}
