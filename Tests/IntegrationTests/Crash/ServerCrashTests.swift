import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// A server that is killed, and what it still knows afterwards.
    @Suite("Crashes of the server", .serialized, .enabled("no container engine answers", hasContainers))
    struct ServerCrashTests {
        private func makeServer(transport: String = "auto") throws -> (RunningServer, Ledger) {
            try KillSeries.makeServer(transport: transport)
        }

        private func checkEnd(_ server: RunningServer) async throws { try await KillSeries.checkEnd(server) }

        private func submit(_ server: RunningServer, _ body: String) async throws -> String {
            let response = try await server.client.send("POST", "/v1/jobs", body: body)
            try #require(response.status == 202, "\(response.text)")
            return try #require(try JSONValue(parsing: response.body)["id"]?.text)
        }

        private func job(_ server: RunningServer, _ id: String, wait: Int = 0) async throws -> JSONValue {
            let path = "/v1/jobs/\(id)" + (wait > 0 ? "?wait=\(wait)" : "")
            return try JSONValue(parsing: try await server.client.send("GET", path).body)
        }

        private func running(_ server: RunningServer, _ id: String) async throws {
            try await waitUntil("job \(id) runs and has said something") {
                let logs = try await server.client.send("GET", "/v1/jobs/\(id)/logs").text
                return logs.contains("step 1")
            }
        }

        @Test("20 times kill -9 under load: nothing accepted is lost, nothing ends twice or starts twice")
        func killsUnderLoad() async throws {
            let (server, ledger) = try makeServer()
            try await KillSeries.run(20, of: server, ledger)
            try await checkEnd(server)
        }

        @Test(
            "a running task survives kill -9 and a restart: it completes once, with its logs",
            arguments: ["unix", "attach"])
        func runningTaskSurvives(_ transport: String) async throws {
            let (server, ledger) = try makeServer(transport: transport)
            try await server.start()
            let id = try await submit(server, ledger.body(milliseconds: 5000))
            try await running(server, id)
            let last = try await lastSequence(server, id)
            try await server.kill()
            try await Task.sleep(for: .milliseconds(700))
            try await server.start()
            try await followsFrom(last, server, id)
            let ended = try await job(server, id, wait: 30)
            #expect(ended["state"] == "completed", "\(ended)")
            #expect(ended["attempt"] == 1)
            guard case .number(let run)? = ended["timings"]?["run"] else { throw TestFailure("no run time: \(ended)") }
            #expect(run >= 4.9, "what ran before the restart counts")
            #expect(try ledger.starts() == [id: [1: 1]])
            let logs = try await server.client.send("GET", "/v1/jobs/\(id)/logs?stream=stdout")
            #expect(logs.text == Ledger.output)
            let result = try await server.client.send("GET", "/v1/jobs/\(id)/result")
            #expect(try JSONValue(parsing: result.body)["value"] == 5000, "\(result.text)")
            try await checkEnd(server)
        }

        /// The number of the last event that a follower has seen, once the task has written something.
        private func lastSequence(_ server: RunningServer, _ id: String) async throws -> Int {
            try await waitUntil("the task has written something") {
                try await !server.client.send("GET", "/v1/jobs/\(id)/logs?stream=stdout").text.isEmpty
            }
            // queued, running and what it wrote.
            return 3
        }

        /// A follower who comes back with a number of the server before misses nothing that the task writes.
        private func followsFrom(_ last: Int, _ server: RunningServer, _ id: String) async throws {
            let answer = try await server.client.send(
                "GET", "/v1/jobs/\(id)/events",
                headers: [("Accept", "application/x-ndjson"), ("Last-Event-ID", "\(last)")])
            let events = try answer.text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
            let text = events.filter { $0["stream"] == "stdout" }.compactMap { $0["data"]?.text }.joined()
            #expect(text == Ledger.output, "\(answer.text)")
            #expect(events.last?["status"] == "completed")
        }

        @Test(
            "a task that ended while no server was there keeps its result for the next one",
            arguments: ["unix", "attach"])
        func resultWaits(_ transport: String) async throws {
            let (server, ledger) = try makeServer(transport: transport)
            try await server.start()
            let id = try await submit(server, ledger.body(milliseconds: 1500))
            try await running(server, id)
            try await server.kill()
            try await Task.sleep(for: .seconds(3))
            try await server.start()
            let ended = try await job(server, id, wait: 30)
            #expect(ended["state"] == "completed", "\(ended)")
            #expect(try ledger.starts() == [id: [1: 1]])
            let logs = try await server.client.send("GET", "/v1/jobs/\(id)/logs?stream=stdout")
            #expect(logs.text == Ledger.output)
            // It was taken back sound: the next job finds it where it was.
            let next = try await submit(server, ledger.body(milliseconds: 1))
            #expect(try await job(server, next, wait: 30)["sandbox"] == ended["sandbox"])
            #expect(!server.log.contains("broke the protocol"), "\(server.log.suffix(2000))")
            try await checkEnd(server)
        }

        @Test("SIGTERM drains: what runs is finished or handed over, what comes is refused")
        func drain() async throws {
            let (server, ledger) = try makeServer()
            try await server.start()
            let short = try await submit(server, ledger.body(milliseconds: 1500))
            let long = try await submit(server, ledger.body(milliseconds: 7000))
            try await running(server, short)
            try await running(server, long)
            async let waited = job(server, long, wait: 60)
            async let kept = server.client.send(
                "POST", "/v1/jobs", headers: [("Prefer", "wait=60")], body: ledger.body(milliseconds: 7000))
            try await waitUntil("two callers wait") {
                try await server.client.send("GET", "/metrics").text.contains("\nslipway_waits 2\n")
            }
            server.signal(SIGTERM)
            try await Task.sleep(for: .milliseconds(200))
            let late = try await server.client.send("POST", "/v1/jobs", body: ledger.body(milliseconds: 1))
            #expect(late.status == 503, "\(late.text)")
            #expect(late.text.contains("/problems/draining"))
            #expect(try await server.client.send("GET", "/readyz").status == 503)
            #expect(try await job(server, long)["state"] == "running")
            // Nobody is kept waiting for longer than the drain takes.
            #expect(try await waited["state"] == "running")
            let queued = try await kept
            #expect(queued.status == 202, "\(queued.text)")
            let third = try #require(try JSONValue(parsing: queued.body)["id"]?.text)
            #expect(try await server.stop() == 0)
            #expect(server.log.contains("takes no more jobs and waits for those that run at_most=3s running=2"))
            try await server.start()
            #expect(try await job(server, short, wait: 30)["state"] == "completed")
            #expect(try await job(server, long, wait: 30)["state"] == "completed")
            #expect(try await job(server, third, wait: 30)["state"] == "completed")
            #expect(try ledger.starts() == [short: [1: 1], long: [1: 1], third: [1: 1]])
            let logs = try await server.client.send("GET", "/v1/jobs/\(long)/logs?stream=stdout")
            #expect(logs.text == Ledger.output)
            try await checkEnd(server)
        }

        @Test("queued jobs are there after a crash and run once; a cancelled one stays cancelled")
        func queuedJobsSurvive() async throws {
            let (server, ledger) = try makeServer()
            try await server.start()
            var ids: [String] = []
            for _ in 0..<8 { ids.append(try await submit(server, ledger.body(milliseconds: 800))) }
            let cancelled = ids.removeLast()
            #expect(try await server.client.send("POST", "/v1/jobs/\(cancelled)/cancel").status == 202)
            try await server.kill()
            try await server.start()
            for id in ids { #expect(try await job(server, id, wait: 40)["state"] == "completed") }
            #expect(try await job(server, cancelled)["state"] == "cancelled")
            let starts = try ledger.starts()
            #expect(starts.count == 7)
            #expect(starts.values.allSatisfy { $0.values.reduce(0, +) == 1 })
            try await checkEnd(server)
        }

        @Test("a job whose sandbox is gone after a crash is lost, or tried again if it may be")
        func sandboxGone() async throws {
            let (server, ledger) = try makeServer()
            try await server.start()
            let once = try await submit(server, ledger.body(milliseconds: 6000))
            let twice = try await submit(server, ledger.body(milliseconds: 2500, attempts: 2))
            try await running(server, once)
            try await running(server, twice)
            try await server.kill()
            for container in try await ContainerEngine.containers(of: server.engineID()) {
                _ = try await ContainerEngine.withClient { try await $0.removeContainer(container.id) }
            }
            try await server.start()
            let lost = try await job(server, once, wait: 40)
            #expect(lost["state"] == "error")
            #expect(lost["error"]?["kind"] == "lost", "\(lost)")
            let again = try await job(server, twice, wait: 40)
            #expect(again["state"] == "completed", "\(again)")
            #expect(again["attempt"] == 2)
            #expect(try ledger.starts() == [once: [1: 1], twice: [1: 1, 2: 1]])
            try await checkEnd(server)
        }

        @Test("sockets that are gone after a crash cost the running task, and nothing else")
        func socketsGone() async throws {
            let (server, ledger) = try makeServer()
            try await server.start()
            let id = try await submit(server, ledger.body(milliseconds: 8000))
            try await running(server, id)
            try await server.kill()
            try FileManager.default.removeItem(atPath: server.folder.path + "/s")
            try await server.start()
            let lost = try await job(server, id, wait: 40)
            #expect(lost["error"]?["kind"] == "lost", "\(lost)")
            let next = try await submit(server, ledger.body(milliseconds: 1))
            #expect(try await job(server, next, wait: 40)["state"] == "completed")
            try await checkEnd(server)
        }

        @Test("a second server on the same data is refused with the reason")
        func secondServer() async throws {
            let (server, _) = try makeServer()
            try await server.start()
            let folder = server.folder.path
            let other = try RunningServer(yaml: "", dataOf: server)
            await #expect {
                try await other.start()
            } throws: { "\($0)".contains("another engine uses") }
            #expect(try await server.client.send("GET", "/healthz").status == 200, "\(folder)")
            try await checkEnd(server)
        }
    }
}
