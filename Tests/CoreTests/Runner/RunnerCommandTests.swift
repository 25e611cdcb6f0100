import NIOCore
import SlipwayCore
import Testing

@Suite("Commands to a supervisor")
struct RunnerCommandTests {
    private func start(name: String?, env: [String: String]) -> RunnerCommand.Start {
        RunnerCommand.Start(
            reference: TaskReference(
                job: JobID().description, attempt: .max, nonce: TaskReference.makeNonce()),
            slot: 31, kind: .command, name: name, timeoutSeconds: 1.0 / 3 * 1e9, env: env, isZlib: false,
            inflatedLimitBytes: .max, resultLimitBytes: .max, logLimitBytes: .max, python: "3.14", openFiles: .max)
    }

    private func env(bytes: Int, of text: String = "x") -> [String: String] {
        let room = bytes - EnvironmentSize.bytes(of: ["A": ""])
        let unit = EnvironmentSize.bytes(of: ["A": text]) - EnvironmentSize.bytes(of: ["A": ""])
        return ["A": String(repeating: text, count: room / unit) + String(repeating: "y", count: room % unit)]
    }

    /// The header of the only frame that a command becomes.
    private func header(_ command: RunnerCommand) throws -> ByteBuffer? {
        var buffer = ByteBuffer()
        guard command.write(into: &buffer) else {
            #expect(buffer.readableBytes == 0)
            return nil
        }
        return try #require(try Frame.read(from: &buffer)).header
    }

    @Test(
        "what is reserved for the rest of START suffices for the longest",
        arguments: ["x", "\n", "\u{1}", "é", "\\"])
    func reserved(_ text: String) throws {
        let name = String(repeating: "\u{1}", count: 255)
        let own = ["SLIPWAY_JOB_ID": JobID().description, "SLIPWAY_ATTEMPT": "\(Int.max)"]
        #expect(EnvironmentSize.bytes(of: own) <= EnvironmentSize.ownBytes)
        let most = env(bytes: EnvironmentSize.limitBytes, of: text)
        #expect(EnvironmentSize.bytes(of: most) == EnvironmentSize.limitBytes)
        let header = try #require(
            try header(.start(start(name: name, env: most.merging(own) { $1 }), input: [1])))
        #expect(header.readableBytes <= Frame.headerLimitBytes)
        let parsed = try JSONValue(parsing: Array(header.readableBytesView))
        #expect(parsed["env"]?["A"]?.text == most["A"])
    }

    @Test(
        "the size of variables is that of their JSON",
        arguments: ["x", "\n\r\t\"\\/", "\u{0}\u{1}\u{1F}\u{7F}", "é😀"])
    func size(_ text: String) throws {
        let empty = try #require(try header(.start(start(name: nil, env: [:]), input: [])))
        for env in [["A": text], ["A": text, "B_\(text)": text + text]] {
            let full = try #require(try header(.start(start(name: nil, env: env), input: [])))
            // The writer puts one comma less than there are variables; the measure has one for each.
            let written = full.readableBytes - empty.readableBytes + 2
            #expect(EnvironmentSize.bytes(of: env) == written + 1)
        }
    }

    @Test("a header is written up to its limit and not beyond")
    func limit() throws {
        let rest = try #require(try header(.start(start(name: nil, env: ["A": ""]), input: []))).readableBytes
        let room = Frame.headerLimitBytes - rest
        for (extra, isWritten) in [(-1, true), (0, true), (1, false)] {
            let value = String(repeating: "x", count: room + extra)
            let header = try header(.start(start(name: nil, env: ["A": value]), input: [1, 2, 3]))
            #expect(header?.readableBytes == (isWritten ? Frame.headerLimitBytes + extra : nil))
        }
        let modules = [String](repeating: String(repeating: "m", count: 255), count: 300)
        #expect(try header(.configure(.init(key: "k", groupID: nil, preload: modules))) == nil)
    }
}
