import Foundation
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

    @Test("docs/job-states.md shows the table that is enforced")
    func document() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let page = try String(contentsOf: root.appending(path: "docs/job-states.md"), encoding: .utf8)
        let lines = page.split(separator: "\n").map(String.init)
        /// The words in a cell that are set as code.
        func words(_ cell: Substring) -> [String] {
            cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .compactMap { $0.offset % 2 == 1 ? String($0.element) : nil }
        }
        // The table of steps.
        for step in JobTransition.all {
            let name = if case .finish(let state) = step { "finish `\(state.rawValue)`" } else { "\(step)" }
            let row = try #require(lines.first { $0.hasPrefix("| \(name) |") }, "there is no row of \(name)")
            let cells = row.split(separator: "|")
            #expect(Set(words(cells[1])) == Set(step.sources.map(\.rawValue)), "\(name)")
            #expect(words(cells[2]) == [step.target.rawValue], "\(name)")
        }
        // The diagram: "    from --> to: step / step".
        for state in JobState.allCases {
            for next in JobState.allCases {
                let legal = JobTransition.all.filter { $0.target == next && $0.sources.contains(state) }
                let prefix = "    \(state.rawValue) --> \(next.rawValue): "
                let drawn = lines.filter { $0.hasPrefix(prefix) }.flatMap {
                    $0.dropFirst(prefix.count).components(separatedBy: " / ")
                }
                let names = legal.map { if case .finish = $0 { "finish" } else { "\($0)" } }
                #expect(drawn.sorted() == names.sorted(), "\(state) to \(next)")
                #expect(state.allows(next) == !legal.isEmpty, "\(state) to \(next)")
            }
            #expect(lines.contains("    \(state.rawValue) --> [*]") == state.isTerminal)
            #expect(lines.contains { $0.hasPrefix("| `\(state.rawValue)` | ") }, "\(state) is not explained")
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
