import Foundation
import SlipwayCore
import Testing

@Suite("What the command line makes of a gateway's answers")
struct GatewayAnswerTests {
    @Test("a fault of the gateway's own comes with the request id that its log has")
    func internalFault() async throws {
        let problem = #"{"title":"Internal Server Error","status":500,"detail":"It failed.","request_id":"req_1"}"#
        try await StubGateway.with([(500, problem)]) { tool in
            let output = try await tool.run("env", "build", "-r", "humanize")
            #expect((output.code, output.err) == (3, "slipway: It failed.\n  request id: req_1\n"))
        }
    }

    @Test("status says what a job waits for, and shows an error's lines as lines")
    func status() async throws {
        let id = JobID()
        let queued = #"{"id":"\#(id)","state":"queued","message":"waiting for memory (1g of 2g)"}"#
        let failed = #"{"id":"\#(id)","state":"error","error":{"kind":"dependency","message":"a\nb\u001b[2J\n"}}"#
        try await StubGateway.with([(200, queued), (200, failed)]) { tool in
            let waiting = try await tool.run("status", id.description)
            #expect(waiting.out.contains("\nmessage:   waiting for memory (1g of 2g)\n"), "\(waiting.out)")
            let ended = try await tool.run("status", id.description)
            #expect(ended.out.hasSuffix("\nerror:     dependency: a\n           b?[2J\n"), "\(ended.out)")
        }
    }

    @Test("a wait goes on when the gateway breaks it off, as at a restart")
    func restart() async throws {
        let id = JobID()
        let waiting = #"{"id":"\#(id)","state":"running"}"#
        let ended = #"{"id":"\#(id)","state":"completed"}"#
        try await StubGateway.with([(0, ""), (503, "{}"), (200, waiting), (0, ""), (200, ended)]) { tool in
            let output = try await tool.run("wait", id.description)
            #expect((output.code, output.out) == (0, "\(id) completed\n"), "\(output.err)")
        }
    }

    @Test("a job whose result is damaged has ended for wait, and submit --wait says what is the matter")
    func damagedResult() async throws {
        let id = JobID()
        let queued = #"{"id":"\#(id)","state":"queued"}"#
        let ended = #"{"id":"\#(id)","state":"completed"}"#
        let update = #"{"type":"job_update","job_id":"\#(id)","seq":1,"status":"completed"}"# + "\n"
        let problem = #"{"type":"/problems/artifact-corrupt","status":500,"detail":"The stored result is damaged."}"#
        try await StubGateway.with([(202, queued), (200, update), (200, ended), (500, problem), (200, ended)]) { tool in
            let submitted = try await tool.run("submit", "--wait", "-c", "1")
            #expect(submitted.code == 3 && submitted.err.contains("The stored result is damaged."), "\(submitted.err)")
            let waited = try await tool.run("wait", id.description)
            #expect((waited.code, waited.out) == (0, "\(id) completed\n"), "\(waited.err)")
        }
    }

    @Test("output that a gateway tells again after its restart is shown once", arguments: [false, true])
    func toldAgain(asJSON: Bool) async throws {
        let id = JobID()
        func log(_ seq: Int, _ data: String) -> String {
            #"{"type":"log","job_id":"\#(id)","seq":\#(seq),"stream":"stdout","data":"\#(data)"}"# + "\n"
        }
        func update(_ seq: Int, _ status: String) -> String {
            #"{"type":"job_update","job_id":"\#(id)","seq":\#(seq),"status":"\#(status)"}"# + "\n"
        }
        let before = update(1, "queued") + update(2, "running") + log(3, #"eins\n"#) + log(4, "zw")
        let after =
            update(5_000_000, "queued") + update(5_000_001, "running") + log(5_000_002, #"eins\nzwei\nd"#)
            + log(5_000_003, #"rei\n"#) + update(5_000_004, "completed")
        try await StubGateway.with([(200, before), (200, after)]) { tool in
            let output = try await tool.run(["logs", "-f", id.description] + (asJSON ? ["--json"] : []))
            guard asJSON else { return #expect(output.out == "eins\nzwei\ndrei\n", "\(output.err)") }
            let lines = try output.out.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
            #expect(lines.map { $0["data"] } == ["eins\n", "zw", "ei\nd", "rei\n"], "\(output.out)")
        }
    }

    @Test("one stream is followed over a restart, too", arguments: ["stdout", "stderr", "all", "build"])
    func streamToldAgain(stream: String) async throws {
        let id = JobID()
        func log(_ seq: Int, _ stream: String, _ data: String) -> String {
            #"{"type":"log","job_id":"\#(id)","seq":\#(seq),"stream":"\#(stream)","data":"\#(data)"}"# + "\n"
        }
        let end = #"{"type":"job_update","job_id":"\#(id)","seq":9000003,"status":"completed"}"# + "\n"
        let before = log(1, "build", #"b\n"#) + log(2, "stdout", #"eins\nzw"#) + log(3, "stderr", "dr")
        let after =
            log(9_000_000, "build", #"b\n"#) + log(9_000_001, "stdout", #"eins\nzwei\n"#)
            + log(9_000_002, "stderr", #"drei\n"#) + end
        // What is left of the one stream comes before what is left of the other.
        let expected = ["stdout": "eins\nzwei\n", "stderr": "drei\n", "all": "eins\nzwdrei\nei\n", "build": "b\n"]
        try await StubGateway.with([(200, before), (200, after)]) { tool in
            let output = try await tool.run("logs", "-f", "--stream", stream, id.description)
            #expect(output.code == 0)
            #expect(output.out == expected[stream], "\(output.err)")
        }
    }

    @Test("progress beyond all bounds is shown as nothing or all of it")
    func absurdProgress() async throws {
        let id = JobID()
        let shares = [("1e30", "1"), ("1e308", "1e-308"), ("-1e30", "1"), ("3", "4")]
        var events = ""
        for (index, share) in shares.enumerated() {
            events += #"{"type":"progress","seq":\#(index + 1),"current":\#(share.0),"total":\#(share.1)}"# + "\n"
        }
        events += #"{"type":"log","seq":5,"stream":"stdout","data":"done\n"}"# + "\n"
        events += #"{"type":"job_update","seq":6,"status":"completed"}"# + "\n"
        try await StubGateway.with([(200, events)]) { tool in
            let output = try await tool.run("logs", "-f", id.description)
            #expect((output.code, output.out) == (0, "done\n"), "\(output.err)")
        }
    }
}
