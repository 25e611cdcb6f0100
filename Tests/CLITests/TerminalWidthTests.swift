import Foundation
import SlipwayCore
import Testing

@Suite("What is written over on a terminal of 80 columns")
struct TerminalWidthTests {
    @Test("nothing is left of a line that is wider than the terminal")
    func progressLine() async throws {
        let id = JobID()
        let long = String(repeating: "waiting ", count: 30)
        let events =
            #"{"type":"job_update","seq":1,"status":"queued","message":"\#(long)"}"# + "\n"
            + #"{"type":"progress","seq":2,"current":1,"total":2,"message":"\#(long)"}"# + "\n"
            + #"{"type":"log","seq":3,"stream":"stdout","data":"out\n"}"# + "\n"
            + #"{"type":"job_update","seq":4,"status":"completed"}"# + "\n"
        let ended = #"{"id":"\#(id)","state":"completed"}"#
        try await StubGateway.with([(202, #"{"id":"\#(id)","state":"queued"}"#), (200, events), (200, ended)]) { tool in
            let output = try await ModelTerminal.run(tool, "submit", "--wait", "-c", "1")
            #expect(output.code == 0, "\(output.err)")
            #expect(output.out.contains("waiting waiting"), "the line was shown")
            #expect(ModelTerminal(output.out).lines == ["slipway: \(id)", "out"], "\(output.out.debugDescription)")
        }
    }

    @Test("a table that is wider than the terminal is shown once, however often it is drawn")
    func liveTable() async throws {
        let image = String(repeating: "registry/", count: 12) + "image"
        let pools = #"{"pools":[{"name":"small","runtime":"docker","image":"\#(image)","warm":1}]}"#
        try await StubGateway.with([(200, pools)]) { tool in
            let output = try await ModelTerminal.run(tool, "pool", "status", frames: 3)
            #expect(output.code == 0, "\(output.err)")
            let lines = ModelTerminal(output.out).lines
            #expect(lines.count == 2, "\(output.out.debugDescription)")
            #expect(lines.first?.hasPrefix("POOL") == true)
            #expect(lines.last?.hasPrefix("small") == true)
        }
    }
}
