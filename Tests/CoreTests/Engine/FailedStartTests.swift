import Foundation
import SlipwayCore
import Synchronization
import TestSupport
import Testing

/// Sandboxes whose start fails after their container was made.
@Suite struct FailedStartTests {
    /// A container engine on which nothing starts, and whose first removals fail.
    private final class Machine: Sendable {
        private struct State {
            var existing: Set<String> = []
            var made = 0
            /// The most containers that existed at a time.
            var most = 0
            var refusals = 3
        }

        private let state = Mutex(State())
        var made: Int { state.withLock { $0.made } }
        var most: Int { state.withLock { $0.most } }

        func answer(_ connection: StubServer.Connection, _ line: String) -> Bool? {
            let sandbox = line.range(of: "sbx_[0-9A-Za-z]+", options: .regularExpression).map { String(line[$0]) }
            if line.contains("/info") {
                connection.respond(#"{"NCPU":4,"MemTotal":8000000000}"#)
            } else if line.contains("/images/") {
                connection.respond(#"{"Id":"sha256:1"}"#)
            } else if line.contains("/containers/create"), let sandbox {
                make(sandbox)
                connection.respond(status: "201 Created", #"{"Id":"\#(sandbox)","Warnings":[]}"#)
            } else if line.hasPrefix("DELETE"), let sandbox {
                let isGone = remove(sandbox)
                connection.respond(
                    status: isGone ? "204 No Content" : "500 Internal Server Error",
                    isGone ? "" : #"{"message":"the device is busy"}"#)
            } else if line.contains("/start") {
                connection.respond(status: "500 Internal Server Error", #"{"message":"no such cgroup"}"#)
            } else if line.contains("/containers/json"), let id = StubbedEngine.engineID(in: line) {
                let all = state.withLock { $0.existing }.map {
                    StubbedEngine.container($0, of: $0, engineID: id)
                }
                connection.respond("[\(all.joined(separator: ","))]")
            } else {
                return nil
            }
            return true
        }

        private func make(_ sandbox: String) {
            state.withLock { state in
                state.made += 1
                state.existing.insert(sandbox)
                state.most = max(state.most, state.existing.count)
            }
        }

        private func remove(_ sandbox: String) -> Bool {
            state.withLock { state in
                guard state.refusals == 0 else {
                    state.refusals -= 1
                    return false
                }
                state.existing.remove(sandbox)
                return true
            }
        }
    }

    @Test func whatASandboxTookGoesToNoOtherBeforeItsContainerIsGone() async throws {
        let machine = Machine()
        let change: (inout Configuration) -> Void = { configuration in
            configuration.allocation.cpus = configuration.sandbox.cpus
            configuration.allocation.cpuFactor = 1
            configuration.pools.defaults.startBackoff = .milliseconds(10)
        }
        try await StubbedEngine.with(change, answer: { machine.answer($0, $1) }) { _ in
            try await waitUntil("others are tried") { machine.made > 2 }
            #expect(machine.most == 1)
        }
    }
}
