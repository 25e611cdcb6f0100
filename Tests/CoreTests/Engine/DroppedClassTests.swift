import Foundation
import SlipwayCore
import Synchronization
import TestSupport
import Testing

/// A reload that drops classes while their sandboxes are being started one after the other.
@Suite struct DroppedClassTests {
    /// A container engine whose containers run, and whose runners never answer.
    private final class Machine: Sendable {
        private let containers = Mutex(0)
        /// How many containers of sandboxes were made.
        var made: Int { containers.withLock { $0 } }

        func answer(_ connection: StubServer.Connection, _ line: String) -> Bool? {
            if line.contains("/info") {
                connection.respond(#"{"NCPU":16,"MemTotal":64000000000}"#)
            } else if line.contains("/images/") {
                connection.respond(#"{"Id":"sha256:1"}"#)
            } else if line.contains("/containers/create"), line.contains("sbx_") {
                let number = containers.withLock { count in
                    count += 1
                    return count
                }
                connection.respond(status: "201 Created", #"{"Id":"made\#(number)","Warnings":[]}"#)
            } else if line.contains("/start") || line.hasPrefix("DELETE") {
                connection.respond(status: "204 No Content")
            } else if line.contains("/containers/made"), line.contains("/json") {
                let pid = ProcessInfo.processInfo.processIdentifier
                connection.respond(
                    #"{"Id":"made","Name":"/n","State":{"Status":"running","Pid":\#(pid)},"Config":{}}"#)
            } else {
                return nil
            }
            return true
        }
    }

    /// Whether a container with this much memory was asked for.
    private func wasAsked(_ stub: StubEngine, memoryBytes: Int) -> Bool {
        stub.requests.contains { request in
            guard request.line.contains("/containers/create"), let body = try? JSONValue(parsing: request.body) else {
                return false
            }
            return body["HostConfig"]?["Memory"] == .integer(Int64(memoryBytes))
        }
    }

    @Test func whatIsDroppedBeforeItsStartBeganIsNeverMade() async throws {
        let machine = Machine()
        let change: (inout Configuration) -> Void = { configuration in
            configuration.pools.startingMax = 1
            configuration.pools.defaults.minIdle = 0
            configuration.pools.classes = (0..<8).map { number in
                var dropped = PoolClass(name: "dropped\(number)", policy: configuration.pools.defaults)
                dropped.memoryBytes = (300 + number) << 20
                dropped.policy.minIdle = 1
                return dropped
            }
        }
        try await StubbedEngine.with(change, answer: { machine.answer($0, $1) }) { test in
            try await waitUntil("the first one is started") { machine.made == 1 }
            var wanted = test.configuration
            wanted.pools.classes = []
            // The default class then wants a sandbox as well, and is the last in line.
            wanted.pools.defaults.minIdle = 1
            await test.engine.reload(wanted)
            try await waitUntil("the one that is kept is started") {
                wasAsked(test.stub, memoryBytes: test.configuration.sandbox.memoryBytes)
            }
        }
        #expect(machine.made == 2, "the first one, and the one that is kept")
    }
}
