import Foundation
import SlipwayCore
import Synchronization
import TestSupport
import Testing

/// Readers of events that read slowly or not at all: what they cost, and what they get.
@Suite("Streams of events", .timeLimit(.minutes(2)))
struct EventStreamTests {
    private static let events = 100
    private static let eventBytes = 64 << 10

    /// Opens once for everybody who waits.
    private actor Gate {
        private var isOpen = false
        private var waiters: [CheckedContinuation<Void, Never>] = []

        func open() {
            isOpen = true
            for waiter in waiters { waiter.resume() }
            waiters = []
        }

        func wait() async {
            guard !isOpen else { return }
            await withCheckedContinuation { waiters.append($0) }
        }
    }

    /// Notes what room was asked for, and refuses it when told so.
    private final class Room: Sendable {
        private let asked = Mutex<[Int]>([])
        let isFull: Bool

        init(isFull: Bool = false) { self.isFull = isFull }

        var bytes: [Int] { asked.withLock { $0 } }

        var caller: Caller {
            Caller { [self] bytes in
                asked.withLock { $0.append(bytes) }
                if isFull { throw EngineError(.unavailable, "there is no room") }
            }
        }
    }

    /// Runs `body` with an engine whose handler emits 6.4 MB and ends when the gate is open.
    private func withEngine(_ body: (Engine, Gate) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let gate = Gate()
        let text = String(repeating: "x", count: Self.eventBytes)
        var configuration = Configuration()
        configuration.data.directory = folder.path + "/data"
        configuration.data.socketDirectory = folder.path + "/s"
        configuration.runtime.default = .process
        configuration.pools.defaults.minIdle = 0
        let handler = DirectHandler("talk") { context in
            for number in 0..<Self.events {
                await context.emit("note", ["n": .integer(Int64(number)), "text": .string(text)])
            }
            await gate.wait()
            return .json(.null)
        }
        let engine = try await Engine(
            configuration: configuration, handlers: [handler], logger: TestEngine.logger())
        do {
            try await engine.start()
            try await body(engine, gate)
        } catch {
            await gate.open()
            await engine.shutdown()
            throw error
        }
        await gate.open()
        await engine.shutdown()
    }

    /// Reads until the task has emitted everything.
    private func readAll(_ iterator: inout AsyncStream<JobEvent>.Iterator) async throws -> [Int] {
        var seen: [Int] = []
        var notes = 0
        while notes < Self.events {
            let event = try #require(await iterator.next())
            seen.append(event.seq)
            if event.type == "note" { notes += 1 }
        }
        return seen
    }

    private func sequences(_ stream: AsyncStream<JobEvent>) async -> [Int] {
        var seen: [Int] = []
        for await event in stream { seen.append(event.seq) }
        return seen
    }

    @Test("a reader that does not read holds nothing of a running job, and goes on with the stored events")
    func lazy() async throws {
        try await withEngine { engine, gate in
            let id = try await engine.submit(JobRequest(task: .handler("talk"))).id
            let (room, full) = (Room(), Room(isFull: true))
            let unread = try await engine.events(of: id, tenant: .default, after: 0, for: room.caller)
            let refused = try await engine.events(of: id, tenant: .default, after: 0, for: full.caller)
            var reader = try await engine.events(of: id).makeAsyncIterator()
            var seen = try await readAll(&reader)
            // Those who come now find all of it, and take one event.
            let late = try await engine.events(of: id, tenant: .default, after: 0, for: full.caller)
            var lateReader = late.makeAsyncIterator()
            let first = await lateReader.next()
            #expect(first?.seq == 1)
            #expect(room.bytes.isEmpty && full.bytes.isEmpty, "nothing is read from the store for a running job")

            await gate.open()
            while let event = await reader.next() { seen.append(event.seq) }
            #expect(seen == Array(1...Self.events + 3), "others go on to the end")
            _ = try await engine.wait(for: id, upTo: .seconds(60))

            #expect(await sequences(unread) == seen)
            let asked = try #require(room.bytes.first)
            #expect(room.bytes.count == 1 && asked > Self.events * Self.eventBytes)
            #expect(await sequences(refused) == [], "nothing was kept for it")
            var rest = 0
            while await lateReader.next() != nil { rest += 1 }
            #expect(rest < 16, "no more than one step was kept for it")
            #expect(full.bytes.count == 2)
        }
    }

    @Test("stored events are read when there is room for them, and come from any place on")
    func stored() async throws {
        try await withEngine { engine, gate in
            await gate.open()
            let id = try await engine.submit(JobRequest(task: .handler("talk")), waitingUpTo: .seconds(60)).job.id
            let room = Room()
            let stream = try await engine.events(of: id, tenant: .default, after: 50, for: room.caller)
            #expect(await sequences(stream) == Array(51...Self.events + 3))
            #expect(room.bytes.count == 1 && room.bytes.allSatisfy { $0 > Self.events * Self.eventBytes })
            #expect(await sequences(try await engine.events(of: id, after: Self.events + 3)) == [])
            let full = Room(isFull: true)
            await #expect(throws: EngineError.self) {
                try await engine.events(of: id, tenant: .default, after: 0, for: full.caller)
            }
            await #expect(throws: EngineError.self) {
                try await engine.logs(of: id, tenant: .default, stream: .all, tail: nil, for: full.caller)
            }
        }
    }

    @Test("readers that go away while they wait are forgotten, and the others get everything once")
    func departures() async throws {
        try await withEngine { engine, gate in
            let id = try await engine.submit(JobRequest(task: .handler("talk"))).id
            var reader = try await engine.events(of: id).makeAsyncIterator()
            var seen = try await readAll(&reader)
            let streams = try await withThrowingTaskGroup(of: AsyncStream<JobEvent>.self) { group in
                for _ in 0..<8 { group.addTask { try await engine.events(of: id, after: Self.events + 2) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let waiting = streams.map { stream in Task { await sequences(stream) } }
            for task in waiting.prefix(4) { task.cancel() }
            for task in waiting.prefix(4) { #expect(await task.value == []) }
            try await waitUntil("five are left") {
                await engine.metricsText().contains("slipway_followers{of=\"job\"} 5\n")
            }
            await gate.open()
            while let event = await reader.next() { seen.append(event.seq) }
            #expect(seen == Array(1...Self.events + 3))
            for task in waiting.dropFirst(4) { #expect(await task.value == [Self.events + 3]) }
        }
    }

    @Test("a reader of all jobs with too many bytes unread is ended, and those who read go on")
    func tenantFeed() async throws {
        try await withEngine { engine, gate in
            await gate.open()
            let unread = await engine.events(TenantEventQuery())
            var reader = await engine.events(TenantEventQuery()).makeAsyncIterator()
            var told = 0
            for _ in 0..<4 {
                let id = try await engine.submit(JobRequest(task: .handler("talk"))).id
                var isOver = false
                while !isOver {
                    let event = try #require(await reader.next()?.event)
                    told += 1
                    isOver = event.jobID == id && event.seq == Self.events + 3
                }
            }
            #expect(told == 4 * (Self.events + 3))
            var left = 0
            for await _ in unread { left += 1 }
            #expect(left > 0 && left < told, "its stream ends with what it could keep")
        }
    }
}
