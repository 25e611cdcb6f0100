import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Promise 17: descriptors, memory and containers of a server do not grow with what it has done.
    @Suite("Endurance", .serialized, .enabled("no container engine answers", hasContainers))
    struct EnduranceTests {
        @Test("after 300 jobs of all kinds a server has the descriptors and containers that it had before")
        func short() async throws {
            let server = try await Endurance.start()
            let load = EnduranceLoad(server)
            let before = try await Endurance.warmed(server, load)
            try await load.run(jobs: 300)
            let after = try await Endurance.settled(server)
            #expect(after.descriptors <= before.descriptors + 2, "\(before) -> \(after)")
            #expect(after.containers <= Endurance.sandboxes, "\(before) -> \(after)")
            try await Endurance.stop(server)
        }
    }

    /// The long version of ``EnduranceTests``.
    @Suite(.serialized, .soak) struct EnduranceSoakTests {
        @Test("minutes of load: descriptors, memory and containers stay within 5 % after warm-up")
        func long() async throws {
            let server = try await Endurance.start()
            let load = EnduranceLoad(server)
            let minutes = Double(Soak.count(30))
            let end = ContinuousClock.now + .seconds(minutes * 60)
            var samples: [Endurance.Sample] = []
            while ContinuousClock.now < end {
                try await load.run(jobs: 100)
                samples.append(try await Endurance.settled(server))
            }
            // The first third warms up: pools, caches of the store, the arenas of the allocator.
            let rest = samples.dropFirst(samples.count / 3)
            let (early, late) = (rest.prefix(rest.count / 4), rest.suffix(rest.count / 4))
            let (before, after) = (Endurance.middle(of: Array(early)), Endurance.middle(of: Array(late)))
            Soak.report(
                "\(minutes) minutes, \(samples.count * 100) jobs: \(before) -> \(after) (peaks "
                    + "\(samples.map(\.descriptors).max() ?? 0) descriptors, \(samples.map(\.containers).max() ?? 0) "
                    + "containers)")
            #expect(Double(after.descriptors) <= Double(before.descriptors) * 1.05 + 1, "\(before) -> \(after)")
            #expect(Double(after.residentBytes) <= Double(before.residentBytes) * 1.05, "\(before) -> \(after)")
            #expect(samples.allSatisfy { $0.containers <= Endurance.sandboxes })
            try await Endurance.stop(server)
        }
    }
}

private enum Endurance {
    static let sandboxes = 2

    /// What a server holds.
    struct Sample: Sendable, CustomStringConvertible {
        var descriptors: Int
        var residentBytes: Int
        var containers: Int
        var description: String {
            "\(descriptors) descriptors, \(residentBytes >> 10) KiB resident, \(containers) containers"
        }
    }

    static func start() async throws -> RunningServer {
        let server = try RunningServer(yaml: "pools:\n  defaults:\n    max: \(sandboxes)\n")
        try await server.start()
        return server
    }

    static func stop(_ server: RunningServer) async throws {
        #expect(try await server.stop() == 0, "\(server.log.suffix(2000))")
        #expect(try await ContainerEngine.containers(of: server.engineID()).map(\.names) == [])
        #expect(ProcessList.commandLines(containing: server.folder.path) == [])
    }

    /// What the server holds once load opens no more of what is opened when it is first needed.
    static func warmed(_ server: RunningServer, _ load: EnduranceLoad) async throws -> Sample {
        try await load.run(jobs: 60)
        var last = try await settled(server)
        var calm = 0
        for _ in 0..<10 where calm < 3 {
            try await load.run(jobs: 60)
            let next = try await settled(server)
            // Connections to the container engine are kept, as many as calls ever met.
            calm = next.descriptors <= last.descriptors ? calm + 1 : 0
            if calm == 0 { last = next }
        }
        return last
    }

    /// What the server holds once nothing runs: the least of some looks, since connections end in their own time.
    static func settled(_ server: RunningServer) async throws -> Sample {
        try await waitUntil("the server is idle") {
            let containers = try await ContainerEngine.containers(of: server.engineID())
            return containers.count <= sandboxes
        }
        var least = Sample(descriptors: .max, residentBytes: .max, containers: .max)
        for _ in 0..<5 {
            let sample = try await sample(server)
            least.descriptors = min(least.descriptors, sample.descriptors)
            least.residentBytes = min(least.residentBytes, sample.residentBytes)
            least.containers = min(least.containers, sample.containers)
            try await Task.sleep(for: .milliseconds(100))
        }
        return least
    }

    /// The median of each figure.
    static func middle(of samples: [Sample]) -> Sample {
        func median(_ values: [Int]) -> Int { values.isEmpty ? 0 : values.sorted()[values.count / 2] }
        return Sample(
            descriptors: median(samples.map(\.descriptors)), residentBytes: median(samples.map(\.residentBytes)),
            containers: median(samples.map(\.containers)))
    }

    private static func sample(_ server: RunningServer) async throws -> Sample {
        let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server.pid)/fd")
        let pages = try String(contentsOfFile: "/proc/\(server.pid)/statm", encoding: .utf8).split(separator: " ")
        guard pages.count > 1, let resident = Int(pages[1]) else { throw TestFailure("statm: \(pages)") }
        return Sample(
            descriptors: files.count, residentBytes: resident * Int(getpagesize()),
            containers: try await ContainerEngine.containers(of: server.engineID()).count)
    }
}

/// Jobs of all kinds, some of which are followed, cancelled, removed, or hurt their sandbox.
private struct EnduranceLoad: Sendable {
    let server: RunningServer

    init(_ server: RunningServer) { self.server = server }

    func run(jobs: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<4 {
                group.addTask { for number in 0..<jobs / 4 { try await job(caller + number * 4) } }
            }
            try await group.waitForAll()
        }
    }

    private func job(_ number: Int) async throws {
        let code =
            switch number % 10 {
            case 0: "def main():\n    print('x' * 100000)\n    return 'y' * 100000"
            case 1: "def main(): raise ValueError('x')"
            case 2: "import slipway\ndef main():\n    for i in range(50): slipway.progress(i, 50)\n"
            case 3: "import os\ndef main(): os.fork(); os._exit(3)"
            default: "def main(): return 1"
            }
        let body: JSONValue = ["task": ["type": "source", "code": .string(code)]]
        let text = String(decoding: body.serialized(), as: UTF8.self)
        guard number % 10 != 4 else { return try await cancelled(text) }
        let response = try await server.client.send("POST", "/v1/jobs?wait=60", body: text)
        let id = try #require(try JSONValue(parsing: response.body)["id"]?.text, "\(response.text)")
        switch number % 5 {
        case 0: #expect(try await server.client.send("GET", "/v1/jobs/\(id)/events").status == 200)
        case 1: #expect(try await server.client.send("GET", "/v1/jobs/\(id)/logs").status == 200)
        case 2: #expect(try await server.client.send("DELETE", "/v1/jobs/\(id)").status == 204)
        default: break
        }
    }

    private func cancelled(_ body: String) async throws {
        let response = try await server.client.send("POST", "/v1/jobs", body: body)
        let id = try #require(try JSONValue(parsing: response.body)["id"]?.text, "\(response.text)")
        let status = try await server.client.send("POST", "/v1/jobs/\(id)/cancel").status
        #expect([200, 202, 409].contains(status))
    }
}
