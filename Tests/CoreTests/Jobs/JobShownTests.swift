import Foundation
import SlipwayCore
import Testing

@Suite("A job as it is told")
struct JobShownTests {
    /// A job whose end is known, in a state that the end may not have reached yet.
    private func ended(_ state: JobState) -> Job {
        Job(
            id: JobID(), tenant: .default, kind: .source, handler: "docker", state: state, attempt: 1,
            createdAt: Date(), startedAt: Date(), finishedAt: Date(),
            timings: .init(queued: 0.1, start: 0.2, run: 0.3, total: 0.6), sandbox: "sbx_1", exitCode: 1,
            usage: .init(cpuSeconds: 0.1, maxRSSBytes: 1), error: JobError(kind: .exit, message: "it ended"))
    }

    @Test("what belongs to an end is told only with the state of an end", arguments: JobState.allCases)
    func end(_ state: JobState) {
        let shown = ended(state).shown
        #expect(shown.state == state)
        #expect((shown.finishedAt != nil) == state.isTerminal)
        #expect((shown.timings.run != nil) == state.isTerminal)
        #expect((shown.timings.total != nil) == state.isTerminal)
        #expect((shown.exitCode != nil) == state.isTerminal)
        #expect((shown.usage != nil) == state.isTerminal)
        #expect((shown.error != nil) == state.isTerminal)
        #expect(shown.timings.queued == 0.1 && shown.timings.start == 0.2)
        #expect(shown.startedAt != nil && shown.sandbox == "sbx_1")
    }
}
