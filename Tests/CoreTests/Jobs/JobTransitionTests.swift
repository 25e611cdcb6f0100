import SlipwayCore
import Testing

@Suite("Job transitions")
struct JobTransitionTests {
    /// The table of docs/job-states.md, written out: for each step the states from which it is legal.
    private let table: [JobTransition: Set<JobState>] = [
        .claim: [.queued],
        .run: [.starting],
        .finish(.completed): [.starting, .running],
        .finish(.error): [.queued, .starting, .running],
        .finish(.cancelled): [.queued, .starting, .running],
        .retry: [.starting, .running],
        .giveBack: [.starting, .running],
    ]

    @Test("every pair of state and step agrees with the table")
    func allPairs() {
        #expect(Set(JobTransition.all) == Set(table.keys))
        for step in JobTransition.all {
            #expect(Set(step.sources) == table[step])
            for state in JobState.allCases {
                let next = step.apply(to: .init(state, attempt: 1), maxAttempts: 3)
                #expect((next != nil) == table[step]?.contains(state), "\(state) by \(step)")
                #expect(next == nil || next?.state == step.target)
            }
        }
    }

    @Test("a terminal state is left by no step, and no step ends in a state that is not terminal")
    func terminal() {
        for state in JobState.allCases where state.isTerminal {
            #expect(state.successors.isEmpty)
            #expect(JobTransition.all.allSatisfy { $0.apply(to: .init(state, attempt: 1), maxAttempts: 9) == nil })
        }
        for state in JobState.allCases where !state.isTerminal {
            #expect(JobTransition.finish(state).sources.isEmpty)
        }
    }

    @Test("the attempt grows by a retry alone and never beyond the limit")
    func attempts() {
        #expect(JobTransition.claim.apply(to: .init(.queued, attempt: 0), maxAttempts: 1)?.attempt == 1)
        #expect(JobTransition.claim.apply(to: .init(.queued, attempt: 2), maxAttempts: 3)?.attempt == 2)
        #expect(JobTransition.giveBack.apply(to: .init(.starting, attempt: 2), maxAttempts: 3)?.attempt == 2)
        #expect(JobTransition.retry.apply(to: .init(.running, attempt: 2), maxAttempts: 3)?.attempt == 3)
        #expect(JobTransition.retry.apply(to: .init(.running, attempt: 3), maxAttempts: 3) == nil)
        #expect(JobTransition.run.apply(to: .init(.starting, attempt: 2), maxAttempts: 3)?.attempt == 2)
        #expect(JobTransition.finish(.error).apply(to: .init(.running, attempt: 2), maxAttempts: 2)?.attempt == 2)
    }
}
