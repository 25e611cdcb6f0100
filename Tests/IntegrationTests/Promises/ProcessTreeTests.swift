import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Promise 9: cancel and timeout end the whole tree, and its sandbox serves nobody before that is verified.
    @Suite("Trees of processes", .serialized, .enabled("no container engine answers", hasContainers))
    struct ProcessTreeTests {
        @Test("nothing of a cancelled or timed out tree lives when its sandbox is leased again")
        func trees() async throws { try await TreeKills.run(roundsOfEach: 1) }
    }

    /// The long version of ``ProcessTreeTests``.
    @Suite(.serialized, .soak) struct ProcessTreeSoakTests {
        @Test("100 rounds of each tree, cancelled and timed out")
        func trees() async throws {
            let figures = try await TreeKills.run(roundsOfEach: Soak.count(100))
            for figure in figures { Soak.report(figure) }
        }
    }
}

/// Trees that are ended, one after the other in one sandbox, and what the next task there finds.
private struct TreeKills {
    /// What ended a tree.
    enum End: String, CaseIterable {
        case cancel, timeout
    }

    private let engine: TestEngine
    private let ledger: Ledger
    private var round = 0
    private var reused = 0
    private var lastSigns: [[Double]] = []
    /// Seconds from the end to the last sign of life, and to the begin of the next task in the sandbox.
    private var deaths: [End: [Double]] = [:]
    private var leases: [End: [Double]] = [:]

    @discardableResult
    static func run(roundsOfEach: Int) async throws -> [String] {
        let folder = try TemporaryFolder()
        let ledger = try Ledger(below: folder)
        let file = try folder.write("ledger/signs", "")
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: file)
        let engine = try await TestEngine.start("docker") {
            $0.pools.defaults.max = 1
            $0.sandbox.mountAllow = [ledger.folder]
            $0.sandbox.mountWritable = [ledger.folder]
        }
        var kills = TreeKills(engine: engine, ledger: ledger)
        for _ in 0..<roundsOfEach {
            for tree in ProcessTree.all {
                for end in End.allCases { try await kills.round(tree, end) }
            }
        }
        // Whatever had lived on would have given a sign by now.
        for (round, signs) in kills.lastSigns.enumerated() {
            #expect(try ProcessTree.signs(of: round, in: ledger) == signs, "something of round \(round) lived on")
        }
        // Replaced sandboxes alone would prove nothing about those that are used again.
        #expect(kills.reused > kills.round / 2, "\(kills.reused) of \(kills.round)")
        try await engine.shutdownLeavingNothing()
        return kills.figures
    }

    private var figures: [String] {
        End.allCases.flatMap { end in
            [
                "\(end.rawValue) to last sign of life of the tree: \(deaths[end, default: []].milliseconds)",
                "\(end.rawValue) to next task in the verified sandbox: \(leases[end, default: []].milliseconds)",
            ]
        } + ["\(round) trees ended, \(reused) sandboxes used again"]
    }

    private init(engine: TestEngine, ledger: Ledger) {
        self.engine = engine
        self.ledger = ledger
    }

    private mutating func round(_ tree: ProcessTree, _ end: End) async throws {
        let number = round
        round += 1
        var request = tree.request(round: number, ledger: ledger)
        if end == .timeout { request.timeout = .milliseconds(400) }
        let job = try await engine.engine.submit(request)
        var moment = Date()
        if end == .cancel {
            try await waitUntil("\(tree) has grown") { try await engine.logs(job.id) == "up\n" }
            moment = Date()
            try await engine.engine.cancel(job.id)
        }
        var next = JobRequest(task: .source(ProcessTree.probe))
        next.mounts = request.mounts
        let probe = try await engine.engine.submit(next)
        let ended = try await engine.end(of: job.id)
        if end == .timeout { moment = try #require(ended.job.startedAt).addingTimeInterval(0.4) }
        #expect(end == .cancel ? ended.job.state == .cancelled : ended.job.error?.kind == .timeout, "\(ended.summary)")
        let found = try await engine.end(of: probe.id)
        guard case .array(let values)? = found.value, values.count == 4, case .number(let began) = values[0] else {
            throw TestFailure("after \(tree): \(found.summary)")
        }
        // Beside the runner's first process and the probe: the zygote, and the child that waits for the next task.
        let counts = values.dropFirst().map { if case .integer(let count) = $0 { count } else { Int64.max } }
        #expect(counts[0] <= 2 && counts[1] == 0 && counts[2] <= 4, "after \(tree), \(end): \(values)")
        let signs = try ProcessTree.signs(of: number, in: ledger)
        let last = try #require(signs.max(), "\(tree) has never lived")
        #expect(last < began, "\(tree) lived \(last - began) s into the next task")
        lastSigns.append(signs)
        deaths[end, default: []].append(max(0, last - moment.timeIntervalSince1970))
        if found.job.sandbox == ended.job.sandbox {
            reused += 1
            leases[end, default: []].append(max(0, began - moment.timeIntervalSince1970))
        } else {
            let old = try #require(ended.job.sandbox)
            try await waitUntil("the container of \(tree) is gone") {
                try await ContainerEngine.container(ofSandbox: old) == nil
            }
        }
    }
}
