import SlipwayCore
import TestSupport

/// What the events of a job and its row say about its life, held against the table of legal steps.
enum JobHistory {
    /// What is wrong with a job that has ended; empty when nothing is.
    ///
    /// The events must walk from `queued` to exactly one end by legal steps; job, row and result must agree with it.
    static func faults(of outcome: JobOutcome, in engine: TestEngine) async throws -> [String] {
        let id = outcome.job.id
        var faults: [String] = []
        var places: [JobState] = []
        for event in try await engine.events(id) where event["type"] == "job_update" {
            guard let state = event["status"]?.text.flatMap({ JobState(rawValue: $0) }) else {
                faults.append("an update without a state: \(event)")
                continue
            }
            places.append(state)
        }
        if places.first != .queued { faults.append("it began as \(places)") }
        for (place, next) in zip(places, places.dropFirst()) where !isReachable(next, from: place) {
            faults.append("\(place) -> \(next)")
        }
        if places.filter(\.isTerminal).count != 1 || places.last != outcome.job.state {
            faults.append("its events end as \(places), it told \(outcome.job.state)")
        }
        guard let row = try await engine.engine.store.row(id) else { return faults + ["it has no row"] }
        if row.job.state != outcome.job.state { faults.append("its row says \(row.job.state)") }
        if (row.result != nil) != (row.job.state == .completed) {
            faults.append("its row is \(row.job.state) and \(row.result == nil ? "has no" : "has a") result")
        }
        if try await engine.engine.job(id).state != outcome.job.state { faults.append("it is told differently later") }
        return faults.map { "\(id): \($0)" }
    }

    /// Whether legal steps lead from one state to the next that is told; `starting` is passed through in silence.
    private static func isReachable(_ next: JobState, from state: JobState) -> Bool {
        state.allows(next) || state.successors.contains { $0 == .starting && $0.allows(next) }
    }
}
