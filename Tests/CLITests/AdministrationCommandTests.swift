import Foundation
import SlipwayCore
import Testing

@Suite("The commands tenants and keys")
struct AdministrationCommandTests {
    @Test("a tenant gets a key, printed or saved for clients, and loses it")
    func life() async throws {
        try await ServedGateway.with(.process) { tool, gateway in
            #expect(try await tool.run("tenants", "add", "acme").out == "acme added\n")
            let twice = try await tool.run("tenants", "add", "acme")
            #expect(twice.code == 1)
            #expect(twice.err.contains("already"))
            let made = try await tool.run("keys", "add", "--tenant", "acme", "--scope", "read", "--expires-in", "1h")
            let key = made.out.trimmingCharacters(in: .newlines)
            #expect(key.hasPrefix("slw_"))
            #expect(made.err.contains("not shown again"))
            #expect(try await tool.run("list", "--url", gateway.url, "--key", key).code == 0)
            let saved = tool.folder.path + "/acme-credentials"
            let saving = try await tool.run("keys", "add", "--tenant", "acme", "--save", saved)
            #expect(saving.code == 0)
            #expect(!saving.out.contains("slw_"))
            #expect(try await tool.run("list", "--credentials", saved).code == 0)
            let list = try await tool.run("keys", "--tenant", "acme")
            #expect(list.out.contains("read,submit"))
            #expect(!list.out.contains(key))
            let id = String(key.split(separator: "_")[1])
            #expect(list.out.contains(id))
            #expect(try await tool.run("keys", "revoke", "--tenant", "acme", id).out == "\(id) revoked\n")
            #expect(try await tool.run("list", "--url", gateway.url, "--key", key).code != 0)
            #expect(try await tool.run("tenants", "suspend", "acme").out == "acme suspended\n")
            #expect(try await tool.run("tenants").out.contains("suspended"))
            let suspended = try await tool.run("list", "--credentials", saved)
            #expect(suspended.code != 0)
            #expect(suspended.err.contains("suspended"))
            #expect(try await tool.run("tenants", "resume", "acme", "--json").json()["suspended"] == false)
            #expect(try await tool.run("list", "--credentials", saved).code == 0)
            let admin = try await tool.run("tenants", "list", "--credentials", saved)
            #expect(admin.code != 0, "its key lacks the scope")
            #expect(try await tool.run("tenants", "remove", "acme").out == "acme removed\n")
            #expect(try await tool.run("tenants", "remove", "acme").code == 1)
            #expect(try await tool.run("keys", "revoke", key).code == 2, "a whole key is no id")
            #expect(try await tool.run("tenants", "add", "A B").code == 2)
        }
    }

    @Test("a start without the saved key makes none, says so, and makes one when it is told to")
    func lostKey() async throws {
        let tool = try CommandLineTool()
        let credentials = tool.folder.path + "/config/slipway/credentials"
        #expect(try await ServedGateway.start(tool).stop().code == 0)
        try FileManager.default.removeItem(atPath: credentials)
        let second = try await ServedGateway.start(tool).stop()
        #expect(second.code == 0)
        #expect(try second.json()["credentials"] == .null)
        #expect(second.err.contains("`slipway serve --new-key`"), "\(second.err)")
        let third = try await ServedGateway.start(tool, "--new-key")
        let keys = try await tool.run("keys", "--json").json()
        guard case .array(let all)? = keys["keys"] else { throw RunningTool.Unexpected("no list: \(keys)") }
        #expect(all.count == 2)
        #expect(FileManager.default.fileExists(atPath: credentials))
        #expect(try await third.stop().code == 0)
    }

    @Test("a key is saved over older credentials, and over nothing else")
    func saving() async throws {
        try await ServedGateway.with(.process) { tool, gateway in
            try tool.write("notes.txt", "mine")
            for (place, reason) in [
                ("notes.txt", "is no credentials file"), (".", "is no credentials file"),
                ("/dev/null", "is no credentials file"), ("missing/file", "there is no folder"),
            ] {
                let refused = try await tool.run("keys", "add", "--save", place)
                #expect(refused.code == 2)
                #expect(refused.err.contains(reason), "\(refused.err)")
            }
            let notes = tool.folder.appendingPathComponent("notes.txt")
            #expect(try String(contentsOf: notes, encoding: .utf8) == "mine")
            #expect(!FileManager.default.fileExists(atPath: tool.folder.path + "/missing"))
            for _ in 0..<2 { #expect(try await tool.run("keys", "add", "--save", "credentials").code == 0) }
            #expect(try await tool.run("list", "--credentials", "credentials").code == 0)
            let keys = try await tool.run("keys", "--json").json()
            guard case .array(let all)? = keys["keys"] else { throw RunningTool.Unexpected("no list: \(keys)") }
            #expect(all.count == 3, "no key was made for a place that was refused")
        }
    }

    @Test("a tenant or a key that is not there is named")
    func missing() async throws {
        try await ServedGateway.with(.process) { tool, gateway in
            for arguments in [
                ["keys", "add", "--tenant", "nope"], ["keys", "--tenant", "nope"], ["tenants", "suspend", "nope"],
                ["tenants", "resume", "nope"], ["tenants", "remove", "nope"],
            ] {
                let output = try await tool.run(arguments)
                #expect((output.code, output.err) == (1, "slipway: there is no tenant 'nope'\n"))
            }
            let revoked = try await tool.run("keys", "revoke", "--tenant", "default", "0123456789")
            #expect((revoked.code, revoked.err) == (1, "slipway: tenant 'default' has no key '0123456789'\n"))
        }
    }
}
