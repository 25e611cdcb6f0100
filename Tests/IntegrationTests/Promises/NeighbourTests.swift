import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Promise 12: whatever a task does to its own sandbox, its neighbours' tasks do not fail.
    @Suite(
        "Bad neighbours", .serialized, .enabled("no container engine answers", hasContainers),
        .engines(Neighbourhood.configure))
    struct NeighbourTests {
        @Test("tasks of another tenant complete beside a bully", arguments: Bully.all)
        func neighbours(_ bully: Bully) async throws {
            let engine = try await sharedEngine("docker")
            _ = try await Neighbourhood.measure(engine, beside: bully, tasks: 15, pause: .zero)
        }
    }

    /// The long version of ``NeighbourTests``.
    @Suite(.serialized, .soak, .engines(Neighbourhood.configure)) struct NeighbourSoakTests {
        /// The tasks of one turn: with their pauses they take about three seconds.
        private static let turn = 120

        @Test("how much longer tasks take beside a bully", arguments: Bully.all)
        func ratios(_ bully: Bully) async throws {
            let (engine, count) = (try await sharedEngine("docker"), Soak.count(600))
            var (alone, beside): ([Double], [Double]) = ([], [])
            // In turns, so that whatever else the machine does disturbs both.
            while beside.count < count {
                let tasks = min(Self.turn, count - beside.count)
                alone += try await Neighbourhood.measure(engine, beside: nil, tasks: tasks, pause: .milliseconds(20))
                beside += try await Neighbourhood.measure(engine, beside: bully, tasks: tasks, pause: .milliseconds(20))
            }
            let ratio = beside.percentile(0.99) / max(alone.percentile(0.99), 1e-9)
            Soak.report(
                "beside \(bully): alone \(alone.milliseconds); beside \(beside.milliseconds); p99 ratio "
                    + String(format: "%.2f", ratio))
        }
    }
}

/// A task that takes whatever it can get, until it is ended.
struct Bully: Sendable, CustomTestStringConvertible, CustomStringConvertible {
    let description: String
    let code: String
    var testDescription: String { description }

    static let all: [Bully] = [
        Bully(
            description: "a fork bomb",
            code: "import os\ndef main():\n    while True:\n        try: os.fork()\n        except OSError: pass"),
        Bully(
            description: "a memory hog",
            code: "def main():\n    held = []\n    while True: held.append(bytearray(b'x' * (4 << 20)))"),
        Bully(
            description: "a flood of output",
            code: "import os\ndef main():\n    while True: os.write(1, b'x' * 65535 + b'\\n'); os.write(2, b'y' * 4096)"
        ),
        Bully(
            description: "a flood of events",
            code: "import slipway\ndef main():\n    while True: slipway.emit({'x': 'y' * 1000})"),
        Bully(
            description: "a disk filler",
            code: """
                import os
                def main():
                    number = 0
                    while True:
                        number += 1
                        try:
                            with open("/tmp/%d" % number, "wb", buffering=0) as file: file.write(b"x" * (1 << 20))
                        except OSError:
                            for name in os.listdir("/tmp"):
                                if name.isdigit(): os.unlink("/tmp/" + name)
                """),
        Bully(
            description: "a hog of processors",
            code: "import os\ndef main():\n    for _ in range(4): os.fork()\n    while True: pass"),
    ]
}

/// A tenant with short tasks, beside one that bullies.
private enum Neighbourhood {
    /// A sandbox for each tenant, with as much of everything as one test machine has to spare.
    @Sendable static func configure(_ configuration: inout Configuration) {
        configuration.pools.defaults.max = 2
        configuration.sandbox.memoryBytes = 128 << 20
        configuration.sandbox.tmpBytes = 32 << 20
        configuration.sandbox.cpus = 1
    }

    /// Runs short tasks one after the other; how long each took, in seconds.
    static func measure(
        _ engine: TestEngine, beside bully: Bully?, tasks: Int, pause: Duration
    ) async throws -> [Double] {
        let (good, bad) = (try #require(TenantID("good")), try #require(TenantID("bad")))
        // Both have their sandbox before anything is measured.
        try await small(engine, good)
        try await small(engine, bad)
        let bullying = Task {
            var rounds = 0
            while let bully, !Task.isCancelled {
                var request = JobRequest(task: .source(bully.code))
                request.timeout = .seconds(2)
                let job = try await engine.engine.submit(request, tenant: bad)
                let outcome = try await engine.engine.wait(for: job.id, tenant: bad, upTo: .seconds(60))
                guard outcome.job.state == .error else { throw TestFailure("\(bully): \(outcome.summary)") }
                rounds += 1
            }
            return rounds
        }
        if bully != nil {
            try await waitUntil("the bully is at it") {
                let states = try await engine.engine.jobs(tenant: bad).jobs.map(\.state)
                return states.contains(.running) || states.contains(.error)
            }
        }
        var seconds: [Double] = []
        for _ in 0..<tasks {
            let began = ContinuousClock.now
            try await small(engine, good)
            let took = began.duration(to: .now)
            seconds.append(Double(took.components.seconds) + Double(took.components.attoseconds) * 1e-18)
            try await Task.sleep(for: pause)
        }
        bullying.cancel()
        let rounds = try await bullying.value
        #expect(bully == nil || rounds > 0)
        return seconds
    }

    private static func small(_ engine: TestEngine, _ tenant: TenantID) async throws {
        let request = JobRequest(task: .source("def main(x): return x + 1", args: [41]))
        let outcome = try await engine.engine.submit(request, tenant: tenant, waitingUpTo: .seconds(60))
        #expect(outcome.value == 42, "a neighbour failed: \(outcome.summary)")
    }
}
