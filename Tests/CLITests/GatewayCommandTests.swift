import Foundation
import SlipwayCore
import Testing

@Suite("The commands that talk to a gateway")
struct GatewayCommandTests {
    @Test("submit, status, wait, logs, result, list and pool status agree", arguments: CommandLineTool.runtimes)
    func life(runtime: CommandLineTool.Runtime) async throws {
        try await ServedGateway.with(runtime) { tool, gateway in
            try tool.write("f.py", "def main(a):\n    print('working')\n    return [a]\n")
            let submitted = try await tool.run(
                "submit", "--label", "team=x y", "--python-entrypoint", "main", "f.py", "1")
            #expect(submitted.code == 0)
            let id = submitted.out.trimmingCharacters(in: .newlines)
            let waited = try await tool.run("wait", id)
            #expect((waited.code, waited.out) == (0, "\(id) completed\n"))
            #expect(try await tool.run("result", id).out == "[\"1\"]\n")
            #expect(try await tool.run("logs", id).out == "working\n")
            #expect(try await tool.run("logs", "-f", id).out == "working\n")
            let status = try await tool.run("status", id)
            #expect(status.code == 0)
            #expect(status.out.contains("state:     completed\n"))
            #expect(try await tool.run("status", id, "--json").json()["id"]?.text == id)
            let list = try await tool.run("list", "--label", "team=x y")
            #expect(list.out.contains(id))
            #expect(try await tool.run("list", "--state", "queued", "--json").json()["jobs"] == [])
            #expect(try await tool.run("status").out.contains("state:     ready\n"))
            #expect(try await tool.run("pool", "status").out.contains(runtime.rawValue))
            let saved = tool.folder.path + "/saved"
            #expect(try await tool.run("result", id, "--output", saved).code == 0)
            #expect(FileManager.default.contents(atPath: saved) == Data("[\"1\"]".utf8))
            let unsaved = try await tool.run("result", id, "--output", "missing/saved")
            #expect(unsaved.code == 3)
            #expect(unsaved.err == "slipway: cannot write missing/saved: No such file or directory\n")
            #expect(try await tool.run("cancel", id).code == 1, "it has ended")
        }
    }

    @Test("submit --wait shows both streams and passes the exit code on", arguments: CommandLineTool.runtimes)
    func submitAndWait(runtime: CommandLineTool.Runtime) async throws {
        try await ServedGateway.with(runtime) { tool, gateway in
            let output = try await tool.run("submit", "--wait", "--", "sh", "-c", "echo a; echo b >&2; exit 5")
            #expect((output.code, output.out) == (5, "a\n"))
            #expect(output.err.hasSuffix("b\n"))
            let failed = try #require(output.err.split(separator: "\n").first?.split(separator: " ").last)
            let result = try await tool.run("result", String(failed))
            #expect(result.code == 5)
            let wait = try await tool.run("wait", String(failed))
            #expect(wait.code == 5)
            let first = try await tool.run("submit", "--idempotency-key", "k1", "-c", "print(1)")
            let second = try await tool.run("submit", "--idempotency-key", "k1", "-c", "print(1)")
            #expect(first.out == second.out)
            let other = try await tool.run("submit", "--idempotency-key", "k1", "-c", "print(2)")
            #expect(other.code == 2)
        }
    }

    @Test("cancel ends a running job; wait says so with 1", arguments: CommandLineTool.runtimes)
    func cancel(runtime: CommandLineTool.Runtime) async throws {
        try await ServedGateway.with(runtime) { tool, gateway in
            let id = try await tool.run("submit", "-c", "import time; print('up'); time.sleep(600)")
                .out.trimmingCharacters(in: .newlines)
            let follower = try tool.start(["logs", "-f", id])
            try await follower.waits(for: "up\n")
            let early = try await tool.run("wait", "--timeout", "1s", id)
            #expect(early.code == 1)
            #expect(early.err.contains("has not ended"))
            #expect(try await tool.run("result", id).code == 1)
            let kept = try await tool.run("cancel", "--queued", id)
            #expect(kept.code == 1)
            #expect(kept.err.contains("has started already"))
            #expect(try await tool.run("cancel", id).code == 0)
            let waited = try await tool.run("wait", id)
            #expect((waited.code, waited.out) == (1, "\(id) cancelled\n"))
            #expect(try await follower.end().code == 0)
        }
    }

    @Test("Ctrl-C on submit --wait cancels the job", arguments: CommandLineTool.runtimes)
    func interrupt(runtime: CommandLineTool.Runtime) async throws {
        try await ServedGateway.with(runtime) { tool, gateway in
            let process = try tool.start(["submit", "--wait", "-c", "import time; print('up'); time.sleep(600)"])
            try await process.waits(for: "up\n")
            process.signal(SIGINT)
            #expect(try await process.end().code == 130)
            #expect(try await tool.run("list").out.contains("cancelled"))
        }
    }

    @Test("SIGTERM drains: what runs ends and is there after a restart", arguments: CommandLineTool.runtimes)
    func drain(runtime: CommandLineTool.Runtime) async throws {
        let tool = try CommandLineTool(runtime)
        let gateway = try await ServedGateway.start(tool)
        let id = try await tool.run("submit", "-c", "import time; print('up'); time.sleep(2); print('done')")
            .out.trimmingCharacters(in: .newlines)
        let follower = try tool.start(["logs", "-f", id])
        try await follower.waits(for: "up\n")
        follower.signal(SIGKILL)
        #expect(try await gateway.stop().code == 0)
        _ = try await follower.end()
        let again = try await ServedGateway.start(tool)
        #expect(try await tool.run("wait", id).out == "\(id) completed\n")
        #expect(try await tool.run("logs", id).out == "up\ndone\n")
        #expect(try await again.stop().code == 0)
    }

    @Test("serve ends with 3 and one clear line where it cannot start")
    func cannotStart() async throws {
        try await ServedGateway.with(.process) { tool, gateway in
            let second = try await tool.run("serve", "--port", "0")
            #expect(second.code == 3)
            #expect(second.err.contains("another engine uses the data folder"))
            let port = try #require(gateway.url.split(separator: ":").last.map(String.init))
            let other = try CommandLineTool()
            let taken = try await other.run("serve", "--port", port)
            #expect(taken.code == 3)
            #expect(taken.err.contains("slipway: Cannot listen on 127.0.0.1:\(port)"))
            #expect(taken.err.contains("(Address already in use)"))
            let unknown = try await other.run("serve", "--host", "nohost.invalid", "--port", "0")
            #expect(unknown.code == 3)
            #expect(unknown.err.contains("slipway: Cannot listen on nohost.invalid:0: change gateway.host"))
        }
    }

    @Test("errors of the gateway become clear lines with pointers")
    func problems() async throws {
        try await ServedGateway.with(.process) { tool, gateway in
            let refused = try await tool.run("submit", "--env", "LD_PRELOAD=x", "--env", "PYTHONPATH=/", "-c", "1")
            #expect(refused.code == 2)
            #expect(refused.err.contains("\n  /env/LD_PRELOAD: "))
            #expect(refused.err.contains("\n  /env/PYTHONPATH: "))
            let unknown = try await tool.run("status", JobID().description)
            #expect((unknown.code, unknown.err) == (1, "slipway: there is no such job, or it is not yours\n"))
            let wrongKey = try await tool.run("list", variables: ["SLIPWAY_KEY": "nonsense"])
            #expect(wrongKey.code == 3)
            #expect(wrongKey.err.contains("does not take the key"))
        }
    }
}
