import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// How jobs begin, say things, are cancelled, time out, are tried again and end.
    @Suite("Lives of jobs", .serialized, .engines())
    struct JobLifeTests {
        @Test("a batch is taken as a whole or not at all", arguments: runtimesHere)
        func batch(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let requests = (0..<50).map { JobRequest(task: .source("def main(i): return i", args: [.integer($0)])) }
            let jobs = try await engine.engine.submit(batch: requests)
            #expect(jobs.count == 50)
            for (index, job) in jobs.enumerated() {
                #expect(try await engine.end(of: job.id).value == .integer(Int64(index)))
            }
            var faulty = JobRequest(task: .source("def main(): pass"))
            faulty.priority = 1000
            faulty.name = "whole-or-not"
            var fine = faulty
            fine.priority = 0
            do {
                _ = try await engine.engine.submit(batch: [fine, faulty])
                Issue.record("a batch with a faulty job was taken")
            } catch let error as EngineError {
                #expect(error.faults.map(\.pointer) == ["/jobs/1/priority"])
            }
            #expect(try await engine.engine.jobs(JobQuery(name: "whole-or-not")).jobs.isEmpty)
        }

        @Test("events come in order, output and progress among them, live and afterwards", arguments: runtimesHere)
        func events(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = """
                import slipway, sys, time
                def main():
                    print("one", flush=True)
                    slipway.progress(1, 3, "first")
                    time.sleep(0.05)
                    print("two", flush=True)
                    slipway.emit({"type": "node_update", "node": {"id": "n1"}, "seq": 99, "job_id": "forged"})
                    time.sleep(0.05)
                    print("three", end="")
                """
            let job = try await engine.engine.submit(JobRequest(task: .source(code)))
            var live: [JSONValue] = []
            for await event in try await engine.engine.events(of: job.id) {
                #expect(event.seq == live.count + 1)
                live.append(try JSONValue(parsing: event.json))
            }
            let words = live.map { event -> String in
                switch event["type"]?.text {
                case "job_update": event["status"]?.text ?? ""
                case "log": event["data"]?.text ?? ""
                default: event["type"]?.text ?? ""
                }
            }
            #expect(words == ["queued", "running", "one\n", "progress", "two\n", "node_update", "three", "completed"])
            let node = try #require(live.first { $0["type"] == "node_update" })
            #expect(node["node"] == ["id": "n1"])
            #expect(node["job_id"]?.text == job.id.description)
            #expect(node["seq"] == 6)
            #expect(live[3]["message"] == "first")
            #expect(try await engine.events(job.id) == live)
            var rest: [Int] = []
            for await event in try await engine.engine.events(of: job.id, after: 5) { rest.append(event.seq) }
            #expect(rest == [6, 7, 8])
            #expect(try await engine.logs(job.id) == "one\ntwo\nthree")
        }

        @Test("a task that cannot be emitted or that emits too much is told, or capped", arguments: runtimesHere)
        func emitLimits(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = """
                import slipway
                def main():
                    said = []
                    for event in ([], {"x": object()}, {"x": "y" * 70000}):
                        try:
                            slipway.emit(event)
                        except (TypeError, ValueError) as error:
                            said.append(type(error).__name__)
                    for i in range(20000):
                        slipway.emit({"type": "tick", "i": i})
                    return said
                """
            let outcome = try await engine.run(source: code)
            #expect(outcome.value == ["TypeError", "TypeError", "ValueError"], "\(outcome.summary)")
            let ticks = try await engine.events(outcome.job.id).filter { $0["type"] == "tick" }
            #expect(ticks.first?["i"] == 0)
            #expect(ticks.count <= 10_000)
            #expect(ticks.count >= 1000)
        }

        @Test("a task cannot speak for the engine in its events", arguments: runtimesHere)
        func forgedEvents(_ runtime: String) async throws {
            let code = """
                import slipway
                def main():
                    slipway.emit({"type": "job_update", "status": "completed", "result": {"value": "forged"}})
                    slipway.emit({"type": "log", "stream": "stdout", "data": "never\\nwritten"})
                    slipway.emit({"type": "gap"})
                    return "own"
                """
            let engine = try await sharedEngine(runtime)
            let outcome = try await engine.run(source: code)
            #expect(outcome.value == "own", "\(outcome.summary)")
            let events = try await engine.events(outcome.job.id)
            #expect(events.filter { $0["type"] == "log" || $0["type"] == "gap" }.isEmpty, "\(events)")
            let ends = events.filter { $0["type"] == "job_update" && $0["status"] == "completed" }
            #expect(ends.count == 1 && events.last == ends.first, "\(events)")
            let told = events.filter { $0["type"] == "task_event" }.compactMap { $0["event"] }
            #expect(told.map { $0["type"] } == ["job_update", "log", "gap"])
            #expect(told.first?["result"] == ["value": "forged"])
        }

        @Test("the deepest event that is taken can be read again with all others of its job", arguments: runtimesHere)
        func deepEvents(_ runtime: String) async throws {
            let code = """
                import slipway
                def main():
                    print("said")
                    for depth in (2, 509, 510, 511, 512, 513):
                        value = depth
                        for _ in range(depth - 1):
                            value = [value]
                        for kind in ("deep", "log"):
                            slipway.emit({"type": kind, "depth": depth, "value": value})
                    slipway.emit({"type": "last"})
                """
            let engine = try await sharedEngine(runtime)
            let outcome = try await engine.run(source: code)
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            let events = try await engine.events(outcome.job.id)
            let deep = events.filter { $0["type"] == "deep" }.map { $0["depth"] }
            #expect(deep == [2, 509, 510], "deeper ones are dropped")
            let told = events.filter { $0["type"] == "task_event" }.map { $0["event"]?["depth"] }
            #expect(told == [2, 509, 510])
            #expect(events.contains { $0["type"] == "last" })
            #expect(try await engine.logs(outcome.job.id) == "said\n")
        }

        @Test("a queued job is cancelled at once, and stays so", arguments: runtimesHere)
        func cancelQueued(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let sleepers = try await engine.engine.submit(
                batch: (0..<2).map { _ in JobRequest(task: .source("import time\ndef main(): time.sleep(30)")) })
            let queued = try await engine.engine.submit(JobRequest(task: .source("def main(): pass")))
            for sleeper in sleepers { try await engine.reach(.running, sleeper.id) }
            #expect(try await engine.engine.job(queued.id).state == .queued)
            let first = try await engine.engine.cancel(queued.id)
            #expect(!first.alreadyCancelled)
            #expect(try await engine.end(of: queued.id).job.state == .cancelled)
            #expect(try await engine.engine.cancel(queued.id).alreadyCancelled)
            for sleeper in sleepers {
                try await engine.engine.cancel(sleeper.id)
                #expect(try await engine.end(of: sleeper.id).job.state == .cancelled)
            }
        }

        @Test("a running job is cancelled with every process that it started", arguments: runtimesHere)
        func cancelRunning(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let mark = "slipway-cancel-\(UInt32.random(in: 0 ... .max))"
            let script = "trap '' TERM; (setsid sh -c \"sleep 3600; : \(mark)\" &) ; echo up; sleep 3600; : \(mark)"
            let job = try await engine.engine.submit(JobRequest(task: .command(["/bin/sh", "-c", script])))
            try await waitUntil("the command is up") { try await engine.logs(job.id) == "up\n" }
            #expect(!ProcessList.commandLines(containing: mark).isEmpty)
            try await engine.engine.cancel(job.id)
            let outcome = try await engine.end(of: job.id)
            #expect(outcome.job.state == .cancelled)
            #expect(outcome.job.cancelRequested)
            #expect(outcome.job.error == nil)
            try await waitUntil("its processes are gone") { ProcessList.commandLines(containing: mark).isEmpty }
            await #expect(throws: EngineError.self) {
                let done = try await engine.run(source: "def main(): pass")
                try await engine.engine.cancel(done.job.id)
            }
        }

        @Test("200 cancels in the first moments: exactly one end each, and the engine goes on", arguments: runtimesHere)
        func cancelRaces(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            _ = try await engine.run(source: "def main(): pass")
            var ends: [JobState: Int] = [:]
            for round in 0..<200 {
                let job = try await engine.engine.submit(JobRequest(task: .source("def main(): return 1")))
                if round % 2 == 1 { try await Task.sleep(for: .microseconds(Int64.random(in: 0...1500))) }
                var refused = false
                do {
                    try await engine.engine.cancel(job.id)
                } catch let error as EngineError where error.code == .alreadyTerminal {
                    refused = true
                }
                let outcome = try await engine.end(of: job.id)
                ends[outcome.job.state, default: 0] += 1
                if refused { #expect(outcome.job.state == .completed) }
                if outcome.job.state == .completed { #expect(outcome.value == 1) }
                let stored = try await engine.engine.job(job.id)
                #expect(stored.state == outcome.job.state)
                let updates = try await engine.events(job.id).filter { $0["type"] == "job_update" }
                let last = updates.filter { ["completed", "cancelled", "error"].contains($0["status"]?.text ?? "") }
                #expect(last.count == 1)
            }
            #expect(ends[.completed, default: 0] + ends[.cancelled, default: 0] == 200)
            #expect(ends[.cancelled, default: 0] > 0)
            #expect(try await engine.run(source: "def main(): return 2").value == 2)
        }

        @Test("a task that outlives its timeout ends as timeout, SIGTERM ignored or not", arguments: runtimesHere)
        func timeouts(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let codes = [
                "import time\ndef main(): time.sleep(60)",
                "import signal, time\ndef main():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                    + "    while True:\n        try: time.sleep(60)\n        except BaseException: pass",
                "def main():\n    while True: pass",
            ]
            for code in codes {
                let outcome = try await engine.run(source: "print('begun', flush=True)\n" + code) {
                    $0.timeout = .milliseconds(300)
                }
                #expect(outcome.job.error?.kind == .timeout, "\(outcome.summary)")
                #expect(try await engine.logs(outcome.job.id) == "begun\n")
            }
            #expect(try await engine.run(source: "def main(): return 3").value == 3)
        }

        @Test("a failing job is tried as often as it asks, and no more", arguments: runtimesHere)
        func retries(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = """
                import os
                def main(good):
                    n = int(os.environ['SLIPWAY_ATTEMPT'])
                    print('attempt', n, flush=True)
                    if n < good: raise ValueError(n)
                    return n
                """
            func request(_ good: Int64, attempts: Int) -> JobRequest {
                var request = JobRequest(task: .source(code, args: [.integer(good)]))
                request.retry = .init(maxAttempts: attempts, backoff: .milliseconds(20))
                return request
            }
            let third = try await engine.run(request(3, attempts: 5))
            #expect(third.value == 3, "\(third.summary)")
            #expect(third.job.attempt == 3)
            #expect(try await engine.logs(third.job.id) == "attempt 1\nattempt 2\nattempt 3\n")
            #expect(try await engine.engine.job(third.job.id).state == .completed)
            let never = try await engine.run(request(9, attempts: 2))
            #expect(never.job.error?.kind == .exception)
            #expect(never.job.error?.message == "2")
            #expect(never.job.attempt == 2)
            let once = try await engine.run(request(9, attempts: 1))
            #expect(once.job.attempt == 1)
        }

        @Test("a job that waits for its next attempt can be cancelled, durably", arguments: runtimesHere)
        func cancelBackingOff(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            var request = JobRequest(task: .source("def main(): raise ValueError"))
            request.retry = .init(maxAttempts: 3, backoff: .seconds(20))
            let job = try await engine.engine.submit(request)
            try await waitUntil("it waits for its second attempt") {
                let now = try await engine.engine.job(job.id)
                return now.state == .queued && now.attempt > 0
            }
            try await engine.engine.cancel(job.id)
            #expect(try await engine.end(of: job.id).job.state == .cancelled)
            let stored = try await engine.engine.job(job.id)
            #expect(stored.state == .cancelled, "the store has another end than the waiter was told")
        }

        @Test("a job that waits too long expires, also between two attempts", arguments: runtimesHere)
        func expiry(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let sleepers = try await engine.engine.submit(
                batch: (0..<2).map { _ in JobRequest(task: .source("import time\ndef main(): time.sleep(30)")) })
            for sleeper in sleepers { try await engine.reach(.running, sleeper.id) }
            let late = try await engine.run(source: "def main(): pass") { $0.queueTimeout = .seconds(1) }
            #expect(late.job.error?.kind == .expired, "\(late.summary)")
            for sleeper in sleepers {
                try await engine.engine.cancel(sleeper.id)
                _ = try await engine.end(of: sleeper.id)
            }
            let between = try await engine.run(source: "def main(): raise ValueError") {
                $0.queueTimeout = .seconds(1)
                $0.retry = .init(maxAttempts: 2, backoff: .seconds(30))
            }
            #expect(between.job.error?.kind == .expired, "\(between.summary)")
            #expect(try await engine.engine.job(between.job.id).state == .error)
        }

        @Test("the time that an attempt runs is no time in the queue", arguments: runtimesHere)
        func longAttempts(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = """
                import os, time
                def main():
                    if os.environ["SLIPWAY_ATTEMPT"] == "1":
                        time.sleep(7)
                        raise ValueError
                    return "second"
                """
            _ = try await engine.run(source: "def main(): pass")
            let outcome = try await engine.run(source: code) {
                $0.queueTimeout = .seconds(5)
                $0.retry = .init(maxAttempts: 2, backoff: .milliseconds(10))
            }
            #expect(outcome.value == "second", "\(outcome.summary)")
        }

        @Test("jobs of higher priority go first, equal ones in the order of their submission", arguments: runtimesHere)
        func priorities(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let sleepers = try await engine.engine.submit(
                batch: (0..<2).map { _ in JobRequest(task: .source("import time\ndef main(): time.sleep(30)")) })
            for sleeper in sleepers { try await engine.reach(.running, sleeper.id) }
            let wanted = [0, -5, 10, 0, 10, 3]
            let requests = wanted.map { priority in
                var request = JobRequest(task: .source("import time\ndef main():\n    time.sleep(0.02)"))
                request.priority = priority
                return request
            }
            let jobs = try await engine.engine.submit(batch: requests)
            // One sandbox stays busy, so that the others begin one after the other.
            try await engine.engine.cancel(sleepers[0].id)
            var started: [(Date, Int)] = []
            for (index, job) in jobs.enumerated() {
                let outcome = try await engine.end(of: job.id)
                started.append((try #require(outcome.job.startedAt), index))
            }
            #expect(started.sorted { $0.0 < $1.0 }.map(\.1) == [2, 4, 5, 0, 3, 1])
            try await engine.engine.cancel(sleepers[1].id)
            _ = try await engine.end(of: sleepers[1].id)
        }
    }
}
