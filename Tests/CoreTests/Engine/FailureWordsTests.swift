import SlipwayCore
import Testing

@Suite("What tenants are told of failures")
struct FailureWordsTests {
    private let paths = HostPaths([
        "/var/lib/slipway", "/run/user/0/slipway-abc", "/var/lib/slipway/artifacts", "/", "/data",
    ])

    @Test(
        "paths of the engine's folders are cut out, and nothing else",
        arguments: [
            (
                "invalid mount: bind source path does not exist: /var/lib/slipway/environments",
                "invalid mount: bind source path does not exist: [path on the host]"
            ),
            ("/var/lib/slipway: gone", "[path on the host]: gone"),
            ("\"/var/lib/slipway/artifacts/a b\"", "\"[path on the host] b\""),
            ("a=/run/user/0/slipway-abc/sbx_1/s:/run/slipway", "a=[path on the host]:/run/slipway"),
            ("/var/lib/slipway2/x and /mnt/var/lib/slipway/y", "/var/lib/slipway2/x and /mnt/var/lib/slipway/y"),
            (
                "/var/lib/slipway/a, /var/lib/slipway/b and /opt/slipway/runner",
                "[path on the host], [path on the host] and /opt/slipway/runner"
            ),
            ("/var/lib/slipway/[x", "[path on the host][x"), ("/ and /data/x stay", "/ and /data/x stay"), ("", ""),
        ])
    func cut(_ text: String, _ expected: String) { #expect(paths.cut(text) == expected) }

    private let refusal = EngineError(
        .containerEngineError,
        "the container engine could not create container x: bind source path does not exist: /var/lib/slipway/env",
        cause: DockerAPIError(status: 400, message: "bind source path does not exist: /var/lib/slipway/env"))

    @Test("the container engine's own words are for the operator, and the kind of failure for everybody")
    func engineWords() throws {
        let words = FailureWords(paths)
        let ann = try #require(TenantID("ann"))
        #expect(words.text(refusal, for: ann) == "the container engine refused: a mount is not possible")
        #expect(words.text(refusal, for: .default).hasSuffix("does not exist: [path on the host]"))
        #expect(FailureWords.whole(refusal).hasSuffix("/var/lib/slipway/env"))
        let start = EngineError(
            .startFailed, "container y could not be started: OCI runtime create failed: /root/x",
            cause: DockerAPIError(status: 500, message: "OCI runtime create failed: /root/x"))
        #expect(!words.text(start, for: ann).contains("/root"))
        // What we say ourselves stays, also where the container engine's words led to it.
        let ours = EngineError(.startFailed, "the image \"i\" has no python3", cause: start)
        #expect(words.text(ours, for: ann) == "the image \"i\" has no python3")
        var detailed = EngineError(.startFailed, "cannot pull it")
        detailed.operatorDetail = "dial tcp 10.0.0.1:443: connection refused"
        #expect(words.text(detailed, for: ann) == "cannot pull it")
        #expect(words.text(detailed, for: .default) == "cannot pull it (dial tcp 10.0.0.1:443: connection refused)")
        #expect(words.text(CancellationError(), for: ann) == "the engine failed")
    }

    @Test(
        "messages are cut to 16 KiB, between whole characters",
        arguments: [("x", 20_000), ("\u{E9}", 9_000), ("\u{1F600}", 5_000), ("e\u{301}", 3_000_000)])
    func long(_ piece: String, _ count: Int) {
        let words = FailureWords(paths)
        let text = String(repeating: piece, count: count)
        let message = words.cut(JobError(kind: .dependency, message: text)).message
        #expect(message.utf8.count <= FailureWords.limitBytes && message.utf8.count > FailureWords.limitBytes - 20)
        #expect(message.hasSuffix(" [cut]"))
        #expect(text.utf8.starts(with: message.utf8.dropLast(6)))
        let short = String(repeating: "x", count: FailureWords.limitBytes)
        #expect(words.cut(JobError(kind: .lost, message: short)).message == short)
    }

    @Test("what was noted of a sandbox can be put back, within a message too")
    func restored() {
        var words = FailureWords(paths)
        let id = SandboxID()
        let short = words.note(refusal, whole: FailureWords.whole(refusal), of: id)
        #expect(short.contains("\(id)") && !short.contains("/var"))
        #expect(words.restored("No sandbox: \(short)") == "No sandbox: \(FailureWords.whole(refusal))")
        #expect(words.restored("something else") == "something else")
        let own = EngineError(.startFailed, "it did not answer")
        #expect(words.note(own, whole: "it did not answer", of: id) == "it did not answer")
        let long = "it did not answer; its last output: no module"
        #expect(words.note(own, whole: long, output: "no module", of: id) == long)
        for _ in 0..<1000 { _ = words.note(refusal, whole: "x", of: SandboxID()) }
        let last = words.note(refusal, whole: "the last", of: id)
        #expect(words.restored(last) == "the last")
    }
}
