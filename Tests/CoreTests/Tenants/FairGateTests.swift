import SlipwayCore
import Synchronization
import TestSupport
import Testing

/// Few places and tenants that take turns.
@Suite struct FairGateTests {
    /// Who got in, in order, and who is still to leave.
    private final class Room: Sendable {
        let gate: FairGate
        private let entered = Mutex<[String]>([])
        private let open = Mutex<Set<String>>([])

        init(places: Int) { gate = FairGate(places: places) }

        var names: [String] { entered.withLock { $0 } }

        /// Stands in line as `name` of the tenant whose letter it begins with, and stays inside until `let(out:)`.
        func come(_ name: String) -> Task<Void, any Error> {
            let tenant = TenantID(String(name.prefix(1)))
            return Task {
                try await gate.run(for: tenant) {
                    entered.withLock { $0.append(name) }
                    while !open.withLock({ $0.contains(name) }) {
                        try await Task.sleep(for: .milliseconds(1))
                    }
                }
            }
        }

        func letOut(_ name: String) { _ = open.withLock { $0.insert(name) } }

        func expect(_ wanted: [String]) async throws {
            _ = try await eventually("\(wanted) are in") { names == wanted ? true : nil }
        }
    }

    /// Lets each stand in line before the next one comes.
    private func settle() async throws { try await Task.sleep(for: .milliseconds(30)) }

    @Test("tenants take turns, however many of one wait")
    func turns() async throws {
        let room = Room(places: 1)
        var tasks = [room.come("a0")]
        try await room.expect(["a0"])
        for name in ["a1", "a2", "a3", "b1", "b2", "c1"] {
            tasks.append(room.come(name))
            try await settle()
        }
        var inside = ["a0"]
        for name in ["a1", "b1", "c1", "a2", "b2", "a3"] {
            room.letOut(inside[inside.count - 1])
            inside.append(name)
            try await room.expect(inside)
        }
        room.letOut("a3")
        for task in tasks { try await task.value }
    }

    @Test("one tenant has all places while nobody else waits, and all but one otherwise")
    func share() async throws {
        let room = Room(places: 2)
        var tasks = [room.come("a0"), room.come("a1")]
        _ = try await eventually("both are in") { room.names.count == 2 ? true : nil }
        for name in ["a2", "a3", "b0", "b1"] {
            tasks.append(room.come(name))
            try await settle()
        }
        room.letOut("a0")
        // A has one place left, and B waits: the free one is B's although A stands before it.
        _ = try await eventually("somebody is in") { room.names.count == 3 ? true : nil }
        #expect(room.names.last == "b0")
        for name in ["a1", "b0", "a2", "a3", "b1"] { room.letOut(name) }
        for task in tasks { try await task.value }
    }

    @Test("whoever is cancelled leaves the line, and those behind move up")
    func cancelled() async throws {
        let room = Room(places: 1)
        let first = room.come("a0")
        try await room.expect(["a0"])
        let leaving = (1...20).map { room.come("a\($0)") }
        try await settle()
        let last = room.come("a21")
        try await settle()
        for task in leaving { task.cancel() }
        for task in leaving {
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        room.letOut("a0")
        try await room.expect(["a0", "a21"])
        room.letOut("a21")
        try await first.value
        try await last.value
    }
}
