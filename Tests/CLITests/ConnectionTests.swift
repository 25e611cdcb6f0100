import Foundation
import Testing

@Suite("How commands find their gateway")
struct ConnectionTests {
    @Test("without any gateway known, commands end with 3 and say what to do")
    func noneKnown() async throws {
        let output = try await CommandLineTool().run("list")
        #expect(output.code == 3)
        #expect(output.err.contains("slipway serve"))
    }

    @Test("a gateway that does not answer ends with 3 and names the address")
    func unreachable() async throws {
        let tool = try CommandLineTool(variables: ["SLIPWAY_URL": "http://127.0.0.1:1", "SLIPWAY_KEY": "k"])
        for arguments in [["list"], ["status"], ["pool", "status"], ["submit", "-c", "1"]] {
            let output = try await tool.run(arguments)
            #expect(output.code == 3)
            #expect(output.err.contains("http://127.0.0.1:1"))
            #expect(output.err.split(separator: "\n").count == 1)
        }
    }

    @Test("a saved key goes to no other gateway than the one that made it")
    func keyStays() async throws {
        let tool = try CommandLineTool()
        let path = try tool.write("saved", #"{"url":"http://127.0.0.1:1","key":"secret","tenant":"default"}"#)
        #expect(chmod(path, 0o600) == 0)
        let own = try await tool.run("list", "--credentials", path)
        #expect(own.code == 3)
        #expect(own.err.contains("cannot reach the gateway at http://127.0.0.1:1"))
        let other = try await tool.run("list", "--credentials", path, "--url", "http://127.0.0.1:2")
        #expect(other.code == 3)
        #expect(other.err.contains("no key for http://127.0.0.1:2 is known"))
    }

    @Test("a credentials file that others can read is refused")
    func openFile() async throws {
        let tool = try CommandLineTool()
        let path = try tool.write("saved", #"{"url":"http://127.0.0.1:1","key":"secret"}"#)
        #expect(chmod(path, 0o644) == 0)
        let output = try await tool.run("list", "--credentials", path)
        #expect(output.code == 3)
        #expect(output.err.contains("chmod 600"))
        #expect(!output.err.contains("secret"))
    }

    @Test("a key that the gateway does not take is told with the place that it is from")
    func refusedKey() async throws {
        let problem = #"{"title":"Unauthorized","status":401,"detail":"The key is not valid."}"#
        try await StubGateway.with([(401, problem)]) { tool in
            let url = try #require(tool.environment["SLIPWAY_URL"])
            let folder = tool.folder.path + "/config/slipway"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let saved = #"{"url":"\#(url)","key":"secret","tenant":"default"}"#
            for name in ["config/slipway/credentials", "other"] {
                #expect(chmod(try tool.write(name, saved), 0o600) == 0)
            }
            #expect(try await tool.run("list").err.contains("does not take the key from SLIPWAY_KEY: "))
            #expect(try await tool.run("list", "--key", "x").err.contains("does not take the key from --key: "))
            let named = try await tool.run("list", "--credentials", "other")
            #expect(named.err.contains("does not take the key from other: "), "\(named.err)")
            #expect(!named.err.contains("--credentials FILE"))
            let own = try await tool.run("list", variables: ["SLIPWAY_KEY": ""])
            #expect(own.code == 3)
            #expect(own.err.contains("does not take the key from \(folder)/credentials: "), "\(own.err)")
            #expect(own.err.contains("--credentials FILE takes it"), "\(own.err)")
        }
    }
}
