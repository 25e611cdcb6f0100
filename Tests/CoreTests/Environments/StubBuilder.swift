import Foundation
import SlipwayCore
import Synchronization

/// A builder that writes one file, or fails, when it is told to.
final class StubBuilder: EnvironmentBuilder {
    struct Counts {
        var builds = 0
        var running = 0
        var mostRunning = 0
        var reconciled = 0
        var failure: EngineError?
        var gate: [CheckedContinuation<Void, Never>] = []
        /// What builds write, as the builder's program does.
        var output = ""
        var isOpen: Bool
    }

    let runtime = "docker"
    let sealsForGroups: Bool
    let counts: Mutex<Counts>

    init(isOpen: Bool = true, sealsForGroups: Bool = true) {
        self.sealsForGroups = sealsForGroups
        counts = Mutex(Counts(isOpen: isOpen))
    }

    func prepare() async {}
    func identity(of image: ResolvedImage) -> String { image.digest }
    func path(of id: String) -> String { "/seen/" + id }
    func remove(_ names: [String]) async throws { throw EngineError(.storage, "nothing to remove with") }
    func reconcile() async throws { counts.withLock { $0.reconciled += 1 } }

    func build(_ order: BuildOrder) async throws -> BuildResult {
        counts.withLock {
            $0.builds += 1
            $0.running += 1
            $0.mostRunning = max($0.mostRunning, $0.running)
        }
        let output = counts.withLock { $0.output }
        if !output.isEmpty {
            try output.write(toFile: order.work + "/output", atomically: false, encoding: .utf8)
        }
        await withCheckedContinuation { continuation in
            let passes = counts.withLock { counts in
                if !counts.isOpen { counts.gate.append(continuation) }
                return counts.isOpen
            }
            if passes { continuation.resume() }
        }
        try "x = 1".write(toFile: order.target + "/x.py", atomically: false, encoding: .utf8)
        let failure = counts.withLock { counts in
            counts.running -= 1
            return counts.failure
        }
        if let failure { throw failure }
        let answer = #"""
            {"ok": true, "versions": {"x": "1"}, "bytes": 1000, "log": "done",
            "packages": [{"name": "x", "version": "1", "hashes": ["sha256:ab"]}]}
            """#
        return try JSONDecoder().decode(BuildResult.self, from: Data(answer.utf8))
    }

    /// Lets the builds finish that wait, and all later ones.
    func open() {
        let waiting = counts.withLock { counts in
            counts.isOpen = true
            defer { counts.gate = [] }
            return counts.gate
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Waits until a number of builds stand at the gate.
    func waitForBuilds(_ number: Int) async {
        while counts.withLock({ $0.gate.count }) < number { await Task.yield() }
    }
}
