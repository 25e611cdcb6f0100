/// A step that a job can take: the one place that decides which steps are legal and what becomes of the attempt.
///
/// The store's statements and the engine both ask here; `docs/job-states.md` draws it.
package enum JobTransition: Sendable, Hashable {
    /// Where a job stands.
    package struct Position: Sendable, Hashable {
        /// The state.
        package var state: JobState
        /// The number of the current or last attempt; 0 before the first.
        package var attempt: Int

        package init(_ state: JobState, attempt: Int) {
            self.state = state
            self.attempt = attempt
        }
    }

    /// A sandbox was found: the attempt begins.
    case claim
    /// START was handed to the runner.
    case run
    /// The job ends in this state, which is a terminal one.
    case finish(JobState)
    /// The attempt failed in a way that may be tried again: the next attempt waits.
    case retry
    /// START provably never left the host: the same attempt waits again.
    case giveBack

    /// Every step.
    package static let all: [JobTransition] =
        [.claim, .run, .retry, .giveBack] + JobState.allCases.filter(\.isTerminal).map(JobTransition.finish)

    /// Where the step leads, or nil when it is illegal.
    ///
    /// - Parameters:
    ///   - position: Where the job stands.
    ///   - maxAttempts: How many attempts the job may have in all.
    package func apply(to position: Position, maxAttempts: Int) -> Position? {
        guard position.state.allows(target), mayLeave(position.state) else { return nil }
        switch self {
        case .claim: return Position(.starting, attempt: max(1, position.attempt))
        case .run, .finish, .giveBack: return Position(target, attempt: position.attempt)
        case .retry:
            guard position.attempt < maxAttempts else { return nil }
            return Position(.queued, attempt: position.attempt + 1)
        }
    }

    /// The state that the step leads to.
    package var target: JobState {
        switch self {
        case .claim: .starting
        case .run: .running
        case .finish(let state): state
        case .retry, .giveBack: .queued
        }
    }

    /// The states from which the step is legal, attempts permitting.
    package var sources: [JobState] { JobState.allCases.filter { $0.allows(target) && mayLeave($0) } }

    /// What the step asks of the state beyond what `JobState.successors` says.
    private func mayLeave(_ state: JobState) -> Bool {
        switch self {
        case .claim, .run, .retry: true
        case .finish: target.isTerminal
        // From running too: START was written, and lost with the connection before the runner saw it.
        case .giveBack: state == .starting || state == .running
        }
    }
}
