import Foundation
import SlipwayCore
import Testing

@Suite("The credentials of the first start")
struct CredentialsTests {
    private func saved(_ path: String) throws -> JSONValue {
        try JSONValue(parsing: Array(Data(contentsOf: URL(fileURLWithPath: path))))
    }

    @Test("serve writes a key that nobody else can read, and a later start keeps it")
    func kept() async throws {
        let tool = try CommandLineTool()
        let path = tool.folder.path + "/config/slipway/credentials"
        let first = try await ServedGateway.start(tool)
        let made = try saved(path)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        #expect(made["tenant"] == "default")
        #expect(made["url"]?.text == first.url)
        let key = try #require(made["key"]?.text)
        #expect(key.hasPrefix("slw_"))
        #expect(try await tool.run("list").code == 0)
        #expect(try await first.stop().code == 0)

        let second = try await ServedGateway.start(tool)
        #expect(try saved(path)["key"]?.text == key)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        let list = try await tool.run("list", variables: ["SLIPWAY_URL": second.url, "SLIPWAY_KEY": key])
        #expect(list.code == 0, "\(list.err)")
        #expect(try await second.stop().code == 0)
    }
}
