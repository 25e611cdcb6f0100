/// Stops calling a service that is down, and finds out by itself when it is back.
///
/// A value without I/O: the owner asks `admit` before each call and reports the outcome after it.
///
///     closed --(failures reach the threshold)--> open --(cooldown over)--> halfOpen
///       ^                                         ^                           |
///       |                                         +------(probe fails)--------+
///       +-----------------(any success)-------------------------------------- +
///
/// In half-open, one probe at a time is let through. Each failed probe doubles the cooldown up to its maximum.
package struct CircuitBreaker: Sendable, Equatable {
    package typealias Instant = ContinuousClock.Instant

    /// Where the circuit stands, with exactly the data of that state.
    package enum State: Sendable, Equatable {
        case closed(consecutiveFailures: Int)
        case open(until: Instant, cooldown: Duration)
        case halfOpen(cooldown: Duration, isProbing: Bool)
    }

    /// The answer to a call that wants to go out; given back with its outcome.
    package enum Admission: Sendable, Equatable {
        case pass
        case probe
        case reject(retryAfter: Duration)
    }

    package private(set) var state: State = .closed(consecutiveFailures: 0)
    private let failureThreshold: Int
    private let initialCooldown: Duration
    private let maximumCooldown: Duration

    package init(
        failureThreshold: Int = 3, initialCooldown: Duration = .milliseconds(500),
        maximumCooldown: Duration = .seconds(5)
    ) {
        self.failureThreshold = max(1, failureThreshold)
        self.initialCooldown = initialCooldown
        self.maximumCooldown = max(initialCooldown, maximumCooldown)
    }

    /// Whether a call may go out now.
    package mutating func admit(at now: Instant) -> Admission {
        switch state {
        case .closed: return .pass
        case .open(let until, let cooldown):
            guard now >= until else { return .reject(retryAfter: until - now) }
            state = .halfOpen(cooldown: cooldown, isProbing: true)
            return .probe
        case .halfOpen(let cooldown, let isProbing):
            guard !isProbing else { return .reject(retryAfter: cooldown) }
            state = .halfOpen(cooldown: cooldown, isProbing: true)
            return .probe
        }
    }

    /// The service answered: whatever the state was, it is up.
    package mutating func succeeded() {
        state = .closed(consecutiveFailures: 0)
    }

    /// The service did not answer an admitted call.
    package mutating func failed(_ admission: Admission, at now: Instant) {
        switch (state, admission) {
        case (_, .reject): break
        case (.closed(let failures), _):
            if failures + 1 >= failureThreshold {
                state = .open(until: now + initialCooldown, cooldown: initialCooldown)
            } else {
                state = .closed(consecutiveFailures: failures + 1)
            }
        case (.halfOpen(let cooldown, _), .probe):
            let next = min(maximumCooldown, cooldown * 2)
            state = .open(until: now + next, cooldown: next)
        // Calls admitted before the circuit opened say nothing new.
        case (.halfOpen, .pass), (.open, _): break
        }
    }

    /// An admitted call ended without a verdict, by cancellation for one: the next caller may probe.
    package mutating func abandoned(_ admission: Admission) {
        if admission == .probe, case .halfOpen(let cooldown, _) = state {
            state = .halfOpen(cooldown: cooldown, isProbing: false)
        }
    }
}
