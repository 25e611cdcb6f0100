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
}
