import SlipwayCore
import Testing

@Suite("Circuit breaker")
struct CircuitBreakerTests {
    let start = ContinuousClock.now

    private func breaker() -> CircuitBreaker {
        CircuitBreaker(failureThreshold: 2, initialCooldown: .seconds(1), maximumCooldown: .seconds(3))
    }

    private func opened() -> CircuitBreaker {
        var breaker = breaker()
        for _ in 0..<2 { breaker.failed(breaker.admit(at: start), at: start) }
        return breaker
    }

    @Test("it opens at the threshold of consecutive failures, not before")
    func opens() {
        var breaker = breaker()
        breaker.failed(breaker.admit(at: start), at: start)
        #expect(breaker.admit(at: start) == .pass)
        breaker.succeeded()
        breaker.failed(.pass, at: start)
        #expect(breaker.state == .closed(consecutiveFailures: 1))
        breaker.failed(.pass, at: start)
        #expect(breaker.state == .open(until: start + .seconds(1), cooldown: .seconds(1)))
        #expect(breaker.admit(at: start + .milliseconds(400)) == .reject(retryAfter: .milliseconds(600)))
    }

    @Test("after the cooldown one probe goes out; its success closes")
    func probeSucceeds() {
        var breaker = opened()
        #expect(breaker.admit(at: start + .seconds(1)) == .probe)
        #expect(breaker.admit(at: start + .seconds(1)) == .reject(retryAfter: .seconds(1)))
        breaker.succeeded()
        #expect(breaker.state == .closed(consecutiveFailures: 0))
        #expect(breaker.admit(at: start + .seconds(1)) == .pass)
    }

    @Test("each failed probe doubles the cooldown up to the maximum")
    func probeFails() {
        var breaker = opened()
        var now = start
        for expected in [2, 3, 3] {
            now += .seconds(3)
            #expect(breaker.admit(at: now) == .probe)
            breaker.failed(.probe, at: now)
            #expect(breaker.state == .open(until: now + .seconds(expected), cooldown: .seconds(expected)))
        }
    }

    @Test("a probe that ends without a verdict lets the next caller probe")
    func abandonedProbe() {
        var breaker = opened()
        #expect(breaker.admit(at: start + .seconds(1)) == .probe)
        breaker.abandoned(.probe)
        #expect(breaker.admit(at: start + .seconds(1)) == .probe)
        breaker.abandoned(.pass)
        #expect(breaker.admit(at: start + .seconds(1)) == .reject(retryAfter: .seconds(1)))
    }

    @Test("calls from before say nothing when they fail late, and close it when they succeed late")
    func stragglers() {
        var breaker = opened()
        breaker.failed(.pass, at: start + .milliseconds(900))
        #expect(breaker.state == .open(until: start + .seconds(1), cooldown: .seconds(1)))
        #expect(breaker.admit(at: start + .seconds(1)) == .probe)
        breaker.failed(.pass, at: start + .seconds(1))
        #expect(breaker.state == .halfOpen(cooldown: .seconds(1), isProbing: true))
        breaker.succeeded()
        #expect(breaker.state == .closed(consecutiveFailures: 0))
    }

    @Test("random histories never let two probes out at once, and never stay stuck", arguments: 0..<100)
    func histories(seed: UInt64) {
        var random = SplitMix(state: seed)
        var breaker = breaker()
        var now = start
        var pending: [CircuitBreaker.Admission] = []
        for _ in 0..<400 {
            now += .milliseconds(Int.random(in: 0...900, using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let admission = breaker.admit(at: now)
                if case .reject = admission { break }
                pending.append(admission)
            case 2 where !pending.isEmpty:
                breaker.failed(pending.remove(at: Int.random(in: 0..<pending.count, using: &random)), at: now)
            case 3 where !pending.isEmpty:
                let admission = pending.remove(at: Int.random(in: 0..<pending.count, using: &random))
                if Bool.random(using: &random) { breaker.abandoned(admission) } else { breaker.succeeded() }
            default: break
            }
            if case .halfOpen(_, true) = breaker.state { #expect(pending.contains(.probe)) }
        }
        for admission in pending { breaker.abandoned(admission) }
        let admission = breaker.admit(at: now + .seconds(10))
        #expect(admission == .pass || admission == .probe)
    }
}
