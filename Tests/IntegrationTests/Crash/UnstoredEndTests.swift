import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// Ends that the store does not take at once, because it is locked or a disk is full.
    @Suite("Ends that are stored late", .serialized)
    struct UnstoredEndTests {
        private static func start(
            in folder: TemporaryFolder, tweak: (inout Configuration) -> Void = { _ in }
        ) async throws -> TestEngine {
            try await TestEngine.start("process", in: folder) {
                $0.pools.defaults.minIdle = 0
                $0.pools.defaults.max = 1
                $0.runner.reconnectGrace = .seconds(60)
                tweak(&$0)
            }
        }

        /// Holds the store's lock, as another process that writes to it.
        private static func lock(_ folder: TemporaryFolder) throws -> (release: () -> Void, pid: Int32) {
            try ChildProcess.pythonHolding(
                """
                import sqlite3, sys
                c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
                c.execute("begin immediate")
                print("ready", flush=True)
                sys.stdin.read()
                """, folder.path + "/data/jobs.sqlite")
        }

        /// A task that notes that it began, and goes on when its file is there.
        private static func task(_ folder: TemporaryFolder, _ name: String, then rest: String) -> JobRequest {
            JobRequest(
                task: .source(
                    """
                    import os, time
                    def main():
                        with open("\(folder.path)/begun-\(name)", "a") as ledger: ledger.write("x")
                        while not os.path.exists("\(folder.path)/go-\(name)"): time.sleep(0.01)
                        \(rest)
                    """))
        }

        private static func begun(_ folder: TemporaryFolder, _ name: String) -> Int {
            ((try? String(contentsOfFile: folder.path + "/begun-\(name)", encoding: .utf8)) ?? "").count
        }

        @Test("a job that is cancelled before its return to the queue could be stored runs in no later process")
        func cancelled() async throws {
            let folder = try TemporaryFolder()
            let first = try await Self.start(in: folder) { $0.store.busyTimeout = .milliseconds(10) }
            var request = Self.task(folder, "a", then: "raise ValueError(1)")
            request.retry = .init(maxAttempts: 3, backoff: .seconds(20))
            let job = try await first.engine.submit(request)
            try await waitUntil("it runs", within: .seconds(60)) { Self.begun(folder, "a") == 1 }
            let holder = try Self.lock(folder)
            _ = try folder.write("go-a", "")
            try await waitUntil("it waits for its next attempt", within: .seconds(60)) {
                try await first.engine.job(job.id).state == .queued
            }
            try await waitUntil("the store is known not to answer", within: .seconds(60)) {
                await !first.engine.readiness().ready
            }
            holder.release()
            try await first.engine.cancel(job.id)
            #expect(try await first.end(of: job.id).job.state == .cancelled)
            // What the store had yet to take it has taken by then.
            try await waitUntil("the store answers", within: .seconds(60)) { await first.engine.readiness().ready }
            try await Task.sleep(for: .seconds(2))
            await first.engine.shutdown()
            let second = try await Self.start(in: folder)
            #expect(try await second.engine.job(job.id).state == .cancelled)
            #expect(Self.begun(folder, "a") == 1)
            try await second.shutdownLeavingNothing()
        }

        @Test("who followed a job whose start did not reach its runner is told its end", .timeLimit(.minutes(5)))
        func returned() async throws {
            let folder = try TemporaryFolder()
            let engine = try await Self.start(in: folder) {
                $0.store.busyTimeout = .seconds(20)
                $0.jobs.claim = .strict
                $0.jobs.claimHold = .zero
            }
            let before = try await engine.engine.submit(Self.task(folder, "a", then: "return 1"))
            try await waitUntil("it runs", within: .seconds(60)) { Self.begun(folder, "a") == 1 }
            let job = try await engine.engine.submit(Self.task(folder, "b", then: "return 2"))
            let events = try await engine.engine.events(of: job.id)
            let told = Task { await events.reduce(into: [Int]()) { $0.append($1.seq) } }
            let holder = try Self.lock(folder)
            _ = try folder.write("go-a", "")
            try await waitUntil("its claim waits", within: .seconds(60)) {
                try await engine.engine.job(job.id).state == .starting
            }
            for line in ProcessList.commandLines(containing: folder.path + "/data/runner") {
                if let pid = line.split(separator: " ").first.flatMap({ Int32($0) }) { kill(pid, SIGKILL) }
            }
            try await Task.sleep(for: .seconds(1))
            holder.release()
            _ = try folder.write("go-b", "")
            #expect(try await engine.end(of: job.id).value == 2)
            #expect(try await engine.end(of: before.id).job.state.isTerminal)
            let stored = try await engine.engine.events(of: job.id).reduce(into: [Int]()) { $0.append($1.seq) }
            // It was queued, queued again, it ran, and it ended.
            #expect(stored == [1, 2, 3, 4])
            #expect(await told.value == stored)
            try await engine.shutdownLeavingNothing()
        }

        @Test("a result for which there is no room when the engine ends is stored by the next process", .tinyDisk)
        func full() async throws {
            let folder = try TemporaryFolder()
            let disk = try TinyDisk(megabytes: 8)
            let keep: (inout Configuration) -> Void = {
                $0.data.artifacts = disk.folder.path
                $0.data.minFreeBytes = 0
            }
            let first = try await Self.start(in: folder, tweak: keep)
            let job = try await first.engine.submit(
                Self.task(folder, "a", then: "return os.urandom(300_000).hex()"))
            try await waitUntil("it runs", within: .seconds(60)) { Self.begun(folder, "a") == 1 }
            try disk.fill("ballast")
            _ = try folder.write("go-a", "")
            try await waitUntil("its result waits", within: .seconds(60)) { await !first.engine.readiness().ready }
            for _ in 0..<25 {
                #expect(await !first.engine.readiness().ready, "it seemed to be stored meanwhile")
                try await Task.sleep(for: .milliseconds(100))
            }
            await first.engine.shutdown()
            try disk.remove("ballast")
            let second = try await Self.start(in: folder, tweak: keep)
            let outcome = try await second.end(of: job.id)
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            #expect(outcome.job.attempt == 1)
            #expect(Self.begun(folder, "a") == 1)
            try await second.shutdownLeavingNothing()
        }

        @Test("a task that runs is taken back also where more ended beside it than there are places", .tinyDisk)
        func slots() async throws {
            let folder = try TemporaryFolder()
            let disk = try TinyDisk(megabytes: 8)
            let keep: (inout Configuration) -> Void = {
                $0.data.artifacts = disk.folder.path
                $0.data.minFreeBytes = 0
                $0.pools.defaults.slots = 2
                $0.jobs.drainTimeout = .milliseconds(1)
            }
            let first = try await Self.start(in: folder, tweak: keep)
            var jobs: [JobID] = []
            for name in ["a", "b", "c"] {
                let rest = name == "a" ? "return 'whole'" : "return os.urandom(300_000).hex()"
                jobs.append(try await first.engine.submit(Self.task(folder, name, then: rest)).id)
            }
            try await waitUntil("two of them run", within: .seconds(60)) {
                Self.begun(folder, "a") == 1 && Self.begun(folder, "b") == 1
            }
            try disk.fill("ballast")
            _ = try folder.write("go-b", "")
            try await waitUntil("the third runs", within: .seconds(60)) { Self.begun(folder, "c") == 1 }
            _ = try folder.write("go-c", "")
            try await waitUntil("it has ended in its sandbox", within: .seconds(60)) {
                ProcessList.commandLines(containing: folder.path + "/begun-c").isEmpty
            }
            try await Task.sleep(for: .seconds(2))
            await first.engine.shutdown()
            try disk.remove("ballast")
            let second = try await Self.start(in: folder, tweak: keep)
            _ = try folder.write("go-a", "")
            let outcome = try await second.end(of: jobs[0])
            #expect(outcome.value == "whole", "\(outcome.summary)")
            #expect(Self.begun(folder, "a") == 1)
            #expect(try await second.end(of: jobs[2]).job.state == .completed)
            try await second.shutdownLeavingNothing()
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test where no small disk can be mounted.
    fileprivate static var tinyDisk: Self { .enabled(if: TinyDisk.isPossible, "needs the right to mount a tmpfs") }
}
