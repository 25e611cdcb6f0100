import Foundation
import SlipwayCore
import TestSupport
import Testing

@Suite("slipway bench")
struct BenchTests {
    private static let rows = [
        "floor, source", "engine, source", "floor, function by value", "engine, function by value",
        "floor, function by name", "engine, function by name", "REST with Prefer: wait, source",
    ]

    @Test(
        "a benchmark of the fewest calls has every row, leaves nothing behind, and a gateway's payloads alone",
        .enabled(if: CommandLineTool.hasEngine))
    func smallest() async throws {
        let tool = try CommandLineTool(.docker)
        let planted = tool.folder.path + "/payloads/.drafts"
        try FileManager.default.createDirectory(atPath: planted, withIntermediateDirectories: true)
        try tool.write("payloads/.drafts/7", "being written")
        try tool.write("config.yaml", "data: {artifacts: \(tool.folder.path)/payloads}\n")
        // Where the machine's way to the package index needs an authority of its own, the first pickle does, too.
        let variables = ProcessInfo.processInfo.environment.filter { $0.key == "SSL_CERT_FILE" || $0.key == "PIP_CERT" }
        let process = try tool.start(
            ["bench", "--json", "--count", "1", "--jobs", "1", "--callers", "1", "--cold", "1"], variables: variables)
        let engine = try await engineID(below: tool.folder.path)
        let output = try await process.end()
        #expect(output.code == 0, "\(output.err)")
        let report = try output.json()
        for pace in ["paced", "back_to_back"] {
            let rows = Self.elements(report[pace])
            #expect(rows.compactMap { $0["name"]?.text } == Self.rows, "\(output.out)")
            for row in rows {
                let name = row["name"]?.text ?? ""
                for figure in ["min_ms", "p50_ms", "p99_ms"] {
                    #expect(isNumber(row[figure]), "\(pace), \(name): \(figure)")
                }
                #expect(isNumber(row["floor_ratio"]) != name.hasPrefix("floor"), "\(pace), \(name)")
            }
        }
        for name in ["REST, 1 callers, 2 sandboxes", "embedded, 1 callers, 2 sandboxes"] {
            #expect(isNumber(report["throughput"]?[name]), "\(name)")
        }
        for figure in ["batch_ms", "cold_ms", "raw_cold_ms"] { #expect(isNumber(report[figure]), "\(figure)") }
        let client = try Self.engineClient()
        let containers = try await onThread { [folder = tool.folder.path] in
            try Self.containers(below: folder, client).map { $0["Id"]?.text }
        }
        #expect(containers == [])
        let left = try FileManager.default.contentsOfDirectory(atPath: tool.folder.path)
        #expect(left.filter { $0.hasPrefix("slipway-bench") } == [])
        let payloads = try FileManager.default.subpathsOfDirectory(atPath: tool.folder.path + "/payloads").sorted()
        #expect(payloads == [".drafts", ".drafts/7"])
        let volumes = try await ContainerEngine.withClient {
            try await $0.listVolumes(labels: [DockerRuntime.engineLabel: engine])
        }
        #expect(volumes.map(\.name) == [])
        #expect(!FileManager.default.fileExists(atPath: "/tmp/slipway-floor-\(process.pid)"))
    }

    /// The identifier of the engine whose data lie below a folder, as the label of its first container tells it.
    ///
    /// On a thread of its own: while all tests begin at once, a task may come to look when everything is over.
    private func engineID(below folder: String) async throws -> String {
        let client = try Self.engineClient()
        return try await onThread {
            let end = ContinuousClock.now + .seconds(240)
            while ContinuousClock.now < end {
                let found = try Self.containers(below: folder, client)
                if let id = found.lazy.compactMap({ $0["Labels"]?[DockerRuntime.engineLabel]?.text }).first {
                    return id
                }
                Thread.sleep(forTimeInterval: 0.05)
            }
            throw TestFailure("no container of the engine was seen")
        }
    }

    private static func engineClient() throws -> HTTPClient {
        HTTPClient(.unix(try #require(ContainerEngine.socketPath)))
    }

    /// The containers, running or not, that see something below a folder, as all of an engine see its runner.
    private static func containers(below folder: String, _ client: HTTPClient) throws -> [JSONValue] {
        let answer = try client.exchangeBlocking(client.request("GET", "/containers/json?all=1"))
        return elements(try JSONValue(parsing: answer.body)).filter { container in
            elements(container["Mounts"]).contains { $0["Source"]?.text?.hasPrefix(folder + "/") == true }
        }
    }

    private static func elements(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let elements)? = value { elements } else { [] }
    }

    private func isNumber(_ value: JSONValue?) -> Bool {
        switch value {
        case .integer?, .number?: true
        case .null?, .bool?, .string?, .array?, .object?, nil: false
        }
    }
}
