import Foundation
import SlipwayCore
import Testing

@Suite("JSON of the commands that talk to a gateway")
struct JSONOutputTests {
    /// The JSON values on standard output, one a line.
    private func lines(_ output: CommandLineTool.Output) throws -> [JSONValue] {
        try output.out.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    }

    @Test(
        "submit, wait and result print one object a job, and end with its exit code",
        arguments: CommandLineTool.runtimes)
    func ended(runtime: CommandLineTool.Runtime) async throws {
        try await ServedGateway.with(runtime) { tool, gateway in
            try tool.write("f.py", "def main(a):\n    print('working')\n    return [a]\n")
            let submitted = try await tool.run(
                "submit", "--json", "--name", "n", "--python-entrypoint", "main", "f.py", "1")
            #expect(submitted.code == 0, "\(submitted.err)")
            let job = try submitted.json()
            let good = try #require(job["id"]?.text, "\(submitted.out)")
            #expect(job["name"] == "n" && job["kind"] == "source")
            let failing = try await tool.run("submit", "--json", "--", "sh", "-c", "exit 5")
            let bad = try #require(try failing.json()["id"]?.text, "\(failing.out)")

            let waited = try await tool.run("wait", "--json", good, bad)
            #expect(waited.code == 5, "\(waited.err)")
            let jobs = try lines(waited)
            #expect(jobs.compactMap { $0["id"]?.text } == [good, bad], "\(waited.out)")
            #expect(jobs.compactMap { $0["state"]?.text } == ["completed", "error"], "\(waited.out)")

            let result = try await tool.run("result", "--json", good)
            #expect(result.code == 0, "\(result.err)")
            let value = try result.json()
            #expect(value["job_id"]?.text == good && value["state"] == "completed")
            #expect(value["value"] == ["1"] && value["error"] == .null, "\(result.out)")
            let none = try await tool.run("result", "--json", bad)
            #expect(none.code == 5)
            let told = try none.json()
            #expect(told["job_id"]?.text == bad && told["state"] == "error")
            #expect(told["exit_code"] == 5 && told["error"]?["kind"] == "exit", "\(none.out)")
        }
    }

    @Test("submit --wait prints the job at its end; the task's output goes to standard error")
    func submitAndWait() async throws {
        try await ServedGateway.with(.process) { tool, gateway in
            let output = try await tool.run(
                "submit", "--wait", "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 4")
            #expect(output.code == 4, "\(output.err)")
            let job = try output.json()
            #expect(job["state"] == "error" && job["exit_code"] == 4, "\(output.out)")
            let words = output.err.split(separator: "\n")
            #expect(words.contains("out") && words.contains("err"), "\(output.err)")
        }
    }

    @Test("cancel prints the job, again the same, and nothing of one that has ended")
    func cancel() async throws {
        try await ServedGateway.with(.process) { tool, gateway in
            let submitted = try await tool.run("submit", "--json", "-c", "import time; print('up'); time.sleep(600)")
            let id = try #require(try submitted.json()["id"]?.text, "\(submitted.out)")
            let follower = try tool.start(["logs", "-f", id])
            try await follower.waits(for: "up\n")
            let cancelled = try await tool.run("cancel", "--json", id)
            #expect(cancelled.code == 0, "\(cancelled.err)")
            let job = try cancelled.json()
            #expect(job["id"]?.text == id && job["cancel_requested"] == true, "\(cancelled.out)")
            let waited = try await tool.run("wait", "--json", id)
            #expect(waited.code == 1)
            #expect(try waited.json()["state"] == "cancelled", "\(waited.out)")
            #expect(try await follower.end().code == 0)
            let again = try await tool.run("cancel", "--json", id)
            #expect(again.code == 0, "\(again.err)")
            #expect(try again.json()["state"] == "cancelled", "\(again.out)")

            let ended = try await tool.run("submit", "--wait", "--json", "-c", "pass")
            let over = try #require(try ended.json()["id"]?.text, "\(ended.out)")
            let late = try await tool.run("cancel", "--json", over)
            #expect((late.code, late.out) == (1, ""))
            #expect(late.err.contains(over), "\(late.err)")
        }
    }

    @Test("keys add --save prints what is known of the key, and where it is, but not the key")
    func savedKey() async throws {
        try await ServedGateway.with(.process) { tool, gateway in
            let output = try await tool.run("keys", "add", "--json", "--scope", "read", "--save", "mine")
            #expect(output.code == 0, "\(output.err)")
            let answer = try output.json()
            #expect(answer["saved"] == "mine" && answer["scopes"] == ["read"], "\(output.out)")
            #expect(answer["id"]?.text?.isEmpty == false)
            #expect(answer["key"] == nil && !output.out.contains("slw_"), "\(output.out)")
            #expect(try await tool.run("list", "--credentials", "mine").code == 0)
        }
    }
}
