import Foundation
import Logging
import SlipwayCore
import Synchronization
import Testing

/// How many containers end at the same time, as the engine sees it.
@Suite("Removals at a time")
struct RemovalLimitTests {
    /// Counts what is under way.
    private final class Tally: Sendable {
        private let counts = Mutex((now: 0, most: 0, done: Set<String>()))

        var most: Int { counts.withLock { $0.most } }
        var done: Set<String> { counts.withLock { $0.done } }
        var now: Int { counts.withLock { $0.now } }

        func enter() {
            counts.withLock { counts in
                counts.now += 1
                counts.most = max(counts.most, counts.now)
            }
        }

        /// - Parameter name: The container that is gone; nil where the removal failed.
        func leave(_ name: String?) {
            counts.withLock { counts in
                counts.now -= 1
                if let name { counts.done.insert(name) }
            }
        }
    }

    private static func name(_ line: String) -> String {
        String(line.split(separator: "/containers/").last?.prefix { $0 != "?" && $0 != "/" } ?? "")
    }

    private static let names = (0..<24).map { "box-\($0)" }

    @Test("of many removals at one moment only so many are under way, and all are done")
    func bounded() async throws {
        let tally = Tally()
        let engine = try StubEngine { connection, line, _ in
            tally.enter()
            // Longer than the others need to arrive.
            Thread.sleep(forTimeInterval: 0.03)
            tally.leave(Self.name(line))
            connection.respond(status: "204 No Content")
            return true
        }
        let runtime = DockerRuntime(
            client: engine.client { $0.maxRemovals = 3 },
            options: .init(
                engineID: "e", runnerFolder: "/opt/r", environmentsFolder: nil, heartbeatSeconds: 1,
                reconnectSeconds: 1, seccompProfile: nil), logger: Logger(label: "test"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in Self.names {
                group.addTask { try await runtime.destroy(SandboxHandle(id: SandboxID(), reference: name)) }
            }
            try await group.waitForAll()
        }
        #expect(tally.done == Set(Self.names))
        #expect(tally.most == 3)
    }

    @Test("removals that fail or hang keep nobody for ever, and every container is gone in the end")
    func faults() async throws {
        let tally = Tally()
        let tries = Mutex<[String: Int]>([:])
        let engine = try StubEngine { connection, line, _ in
            let name = Self.name(line)
            let attempt = tries.withLock { tries in
                tries[name, default: 0] += 1
                return tries[name, default: 0]
            }
            let number = Int(name.dropFirst(4)) ?? 0
            if number % 4 == 1, attempt == 1 {
                // Until the client has had enough: it counts no longer, so nor does it here.
                connection.hang()
                return false
            }
            tally.enter()
            Thread.sleep(forTimeInterval: 0.005)
            if number % 4 == 2, attempt == 1 {
                tally.leave(nil)
                connection.respond(status: "500 Oops", #"{"message":"device or resource busy"}"#)
                return true
            }
            tally.leave(name)
            connection.respond(status: number % 4 == 3 ? "404 Not Found" : "204 No Content", #"{"message":"gone"}"#)
            return true
        }
        let client = engine.client {
            $0.maxRemovals = 2
            $0.slowCallTimeout = .milliseconds(100)
            $0.circuit = CircuitBreaker(failureThreshold: 100)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in Self.names { group.addTask { try await client.removeContainer(name) } }
            try await group.waitForAll()
        }
        #expect(tally.done == Set(Self.names))
        // One that hangs holds a place all the while: whether two others ever meet depends on who comes when.
        #expect(tally.most <= 2)
    }

    @Test("what waits for its turn can be cancelled, gives its place to the next, and other calls go on meanwhile")
    func cancelledInLine() async throws {
        let tally = Tally()
        let opened = Mutex(false)
        let engine = try StubEngine { connection, line, _ in
            guard line.hasPrefix("DELETE") || line.contains("/kill") else {
                connection.respond(#"{"Id":"abc","Name":"/n","State":{"Status":"running","Pid":1},"Config":{}}"#)
                return true
            }
            tally.enter()
            while !opened.withLock({ $0 }) { Thread.sleep(forTimeInterval: 0.002) }
            tally.leave(Self.name(line))
            connection.respond(status: "204 No Content")
            return true
        }
        let client = engine.client { $0.maxRemovals = 1 }
        let first = Task { try await client.removeContainer("first") }
        while tally.now == 0 { try await Task.sleep(for: .milliseconds(1)) }
        let waiting = Task { try await client.removeContainer("waiting") }
        let last = Task { try await client.killContainer("last") }
        try await Task.sleep(for: .milliseconds(20))
        waiting.cancel()
        let error = await #expect(throws: EngineError.self) { try await waiting.value }
        #expect(error?.code == .cancelled)
        #expect(try await client.inspectContainer("first")?.id == "abc")
        opened.withLock { $0 = true }
        #expect(try await first.value)
        #expect(try await last.value == .signalled)
        #expect(tally.done == ["first", "last"])
        #expect(tally.most == 1)
    }
}
