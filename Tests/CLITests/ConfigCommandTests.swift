import SlipwayCore
import Testing

@Suite("slipway config")
struct ConfigCommandTests {
    private static let faulty = """
        gateway:
          port: 700000
          hots: 127.0.0.1
        log:
          level: loud

        """

    @Test("check reports every fault with its place and ends with 2")
    func faults() async throws {
        let tool = try CommandLineTool()
        let path = try tool.write("bad.yaml", Self.faulty)
        for arguments in [["config", "check", path], ["config", "check", "--config", path]] {
            let output = try await tool.run(arguments)
            #expect(output.code == 2)
            for place in ["bad.yaml:2:9: gateway.port", "bad.yaml:3:3: gateway.hots", "bad.yaml:5:10: log.level"] {
                #expect(output.err.contains(place), "\(output.err)")
            }
            #expect(output.err.hasSuffix("slipway: 3 faults\n"))
        }
    }

    @Test("check --json lists the faults as values")
    func faultsAsJSON() async throws {
        let tool = try CommandLineTool()
        let path = try tool.write("bad.yaml", Self.faulty)
        let output = try await tool.run("config", "check", path, "--json")
        #expect(output.code == 2)
        let value = try output.json()
        #expect(value["valid"] == false)
        guard case .array(let faults) = value["faults"] else {
            Issue.record("no list of faults: \(output.out)")
            return
        }
        #expect(faults.map { $0["line"] } == [2, 3, 5])
        #expect(faults.map { $0["path"] } == ["gateway.port", "gateway.hots", "log.level"])
    }

    @Test("check takes a good file, the working folder's config.yaml, and the defaults")
    func noFaults() async throws {
        let tool = try CommandLineTool()
        let defaults = try await tool.run("config", "check")
        #expect((defaults.code, defaults.out) == (0, "the defaults: no faults\n"))
        try tool.write("config.yaml", "log: {level: warning}\n")
        let local = try await tool.run("config", "check")
        #expect((local.code, local.out) == (0, "config.yaml: no faults\n"))
        let missing = try await tool.run("config", "check", "nowhere.yaml")
        #expect(missing.code == 2)
        #expect(missing.err.contains("nowhere.yaml: cannot be read: there is no such file"))
        let folder = try await tool.run("config", "check", "/tmp")
        #expect((folder.code, folder.err) == (2, "/tmp: cannot be read: Is a directory\nslipway: 1 fault\n"))
        let below = try await tool.run("config", "show", "--config", "/dev/null/x")
        #expect((below.code, below.err) == (3, "slipway: /dev/null/x: cannot be read: Not a directory\n"))
    }

    @Test("show writes what is in force, and with --sources where it came from")
    func show() async throws {
        let tool = try CommandLineTool(variables: ["SLIPWAY_GATEWAY_PORT": "1234"])
        try tool.write("c.yaml", "log: {level: warning}\n")
        let output = try await tool.run("config", "show", "--config", "c.yaml", "--sources")
        #expect(output.code == 0)
        #expect(output.out.contains("  port: 1234  # $SLIPWAY_GATEWAY_PORT\n"))
        #expect(output.out.contains("  level: warning  # c.yaml:1\n"))
        try tool.write("again.yaml", try await tool.run("config", "show", "--config", "c.yaml").out)
        #expect(try await tool.run("config", "check", "again.yaml").code == 0, "what is shown reads back")
        let json = try await tool.run("config", "show", "--config", "c.yaml", "--json").json()
        #expect(json["gateway"]?["port"] == 1234)
    }

    @Test("show hides credentials in addresses")
    func redaction() async throws {
        let tool = try CommandLineTool()
        try tool.write("c.yaml", "environments:\n  index_url: https://me:hunter2@example.org/simple\n")
        let output = try await tool.run("config", "show", "--config", "c.yaml")
        #expect(output.code == 0)
        #expect(!output.out.contains("hunter2"))
    }

    @Test("serve and run refuse a faulty configuration with all faults and 3")
    func otherCommands() async throws {
        let tool = try CommandLineTool()
        let path = try tool.write("bad.yaml", Self.faulty)
        for arguments in [["serve", "--config", path], ["run", "--config", path, "-c", "1"]] {
            let output = try await tool.run(arguments)
            #expect(output.code == 3)
            for key in ["gateway.port", "gateway.hots", "log.level"] { #expect(output.err.contains(key)) }
        }
    }
}
