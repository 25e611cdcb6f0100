import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// The long version of the kills in `ServerCrashTests`: promises 1 to 3.
    @Suite(.serialized, .soak) struct ServerCrashSoakTests {
        @Test("200 times kill -9 under load")
        func kills() async throws {
            let kills = Soak.count(200)
            let (server, ledger) = try KillSeries.makeServer()
            let report = try await KillSeries.run(kills, of: server, ledger)
            try await KillSeries.checkEnd(server)
            Soak.report("\(kills) times kill -9 of the server: \(report)")
        }
    }
}

/// A server under load that is killed again and again, and what it must still know in the end.
enum KillSeries {
    /// A server with two sandboxes, whose tasks may write to a ledger.
    static func makeServer(transport: String = "auto") throws -> (RunningServer, Ledger) {
        let folder = try TemporaryFolder()
        let ledger = try Ledger(below: folder)
        let server = try RunningServer(
            yaml: """
                  transport: \(transport)
                sandbox:
                  mount_allow: ["\(ledger.folder)"]
                  mount_writable: ["\(ledger.folder)"]
                pools:
                  defaults:
                    max: 2
                jobs:
                  drain_timeout: 3s

                """, alongside: folder)
        return (server, ledger)
    }

    /// The server's last moments: it ends in order, its store is sound, and nothing of it is left.
    static func checkEnd(_ server: RunningServer) async throws {
        #expect(try await server.stop() == 0, "\(server.log.suffix(2000))")
        #expect(try await server.integrity() == "ok")
        let left = try await ContainerEngine.containers(of: server.engineID())
        #expect(left.map(\.names) == [], "containers were left over")
        #expect(ProcessList.commandLines(containing: server.folder.path) == [])
    }

    /// Starts the server and kills it so often; says what became of the jobs.
    @discardableResult
    static func run(_ kills: Int, of server: RunningServer, _ ledger: Ledger) async throws -> String {
        try await server.start()
        let load = KillLoad(server, ledger)
        let callers = Task { await load.run(callers: 4) }
        for kill in 0..<kills {
            try await Task.sleep(for: .milliseconds(Int64.random(in: 50...1200)))
            if kill % 4 == 3 {
                // In the midst of its orderly end.
                server.signal(SIGTERM)
                try await Task.sleep(for: .milliseconds(Int64.random(in: 0...400)))
            }
            try await server.kill()
            try await server.start()
            try await load.look()
        }
        load.finish()
        await callers.value
        try await waitUntil("every accepted job has ended", within: .seconds(90)) {
            try await load.look()
            return load.unfinished().isEmpty
        }
        #expect(load.contradictions == [])
        #expect(load.accepted.count > kills, "there was hardly any load")
        #expect(load.keys.values.allSatisfy { $0.count == 1 }, "a key got two jobs")
        try await checkResults(load, server)
        return try judge(load, ledger)
    }

    /// Large results are there in full.
    private static func checkResults(_ load: KillLoad, _ server: RunningServer) async throws {
        var completed = 0
        for (id, filler) in load.fillers where load.end(of: id).hasPrefix("completed") {
            completed += 1
            let result = try await server.client.send("GET", "/v1/jobs/\(id)/result")
            #expect(result.status == 200, "\(id): \(result.text.prefix(200))")
            let value = try JSONValue(parsing: result.body)["value"]?.text
            #expect(value == filler, "the result of \(id) is another")
        }
        #expect(completed > 0, "no large job completed")
    }

    private static func judge(_ load: KillLoad, _ ledger: Ledger) throws -> String {
        var (completed, lost) = (0, 0)
        let starts = try ledger.starts()
        #expect(starts.values.allSatisfy { $0.values.allSatisfy { $0 == 1 } }, "an attempt began twice: \(starts)")
        for (id, promise) in load.accepted {
            let began = starts[id] ?? [:]
            #expect(began.values.allSatisfy { $0 == 1 }, "an attempt of \(id) began twice: \(began)")
            #expect(began.count <= promise.maxAttempts, "\(id): \(began)")
            let end = load.end(of: id)
            if end.hasPrefix("completed") {
                completed += 1
                #expect(!began.isEmpty, "\(id) completed and never began")
            } else if end.contains("lost") {
                lost += 1
            }
        }
        #expect(completed > load.accepted.count / 2, "most jobs should complete between the kills")
        return "\(load.accepted.count) jobs accepted, all ended, \(completed) completed, \(lost) lost, none twice"
    }
}
