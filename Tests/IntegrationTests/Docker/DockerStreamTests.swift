import Foundation
import SlipwayCore
import Testing

@Suite("Streams of a live engine", .enabled("no container engine answers", LiveEngine.answers))
struct DockerStreamTests {
    let client: DockerClient

    init() throws { client = try LiveEngine.client() }

    @Test("an attached container echoes what it is sent, and its streams stay apart")
    func attachEchoes() async throws {
        let spec = LiveEngine.spec(
            "while read line; do echo \"out $line\"; echo \"err $line\" >&2; done; echo end", input: .once)
        try await LiveEngine.withContainer(client, spec) { id in
            let attachment = try await client.attach(id)
            for number in 0..<50 { try await attachment.write(Array("line \(number) \u{1F40D}\n".utf8)) }
            attachment.finishInput()
            var streams: [DockerStreamDemultiplexer.Stream: [UInt8]] = [:]
            for try await frame in attachment.frames { streams[frame.stream, default: []] += frame.bytes }
            let lines = (0..<50).map { "line \($0) \u{1F40D}" }
            let output = String(decoding: streams[.standardOutput] ?? [], as: UTF8.self)
            #expect(output == lines.map { "out \($0)\n" }.joined() + "end\n")
            let errorOutput = String(decoding: streams[.standardError] ?? [], as: UTF8.self)
            #expect(errorOutput == lines.map { "err \($0)\n" }.joined())
        }
    }

    @Test("20 MB go through an attached container and back unharmed, with the reader slower than the writer")
    func attachBulk() async throws {
        var spec = LiveEngine.spec("exec cat", input: .once)
        spec.logDriver = ContainerSpec.LogDriver.none
        try await LiveEngine.withContainer(client, spec) { id in
            let attachment = try await client.attach(id)
            let block = (0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let rounds = 320
            let writer = Task {
                for _ in 0..<rounds { try await attachment.write(block) }
                attachment.finishInput()
            }
            var received = 0
            var mismatches = 0
            for try await frame in attachment.frames {
                for byte in frame.bytes {
                    if byte != block[received % block.count] { mismatches += 1 }
                    received += 1
                }
            }
            try await writer.value
            #expect(received == rounds * block.count)
            #expect(mismatches == 0)
        }
    }

    @Test("attaching to nothing is an error with the engine's words")
    func attachMissing() async throws {
        let error = await #expect(throws: EngineError.self) { try await client.attach("slipway-test-none") }
        #expect(error?.code == .containerEngineError)
        #expect(error?.dockerStatus == 404)
    }

    @Test("closing an attachment ends its reader and leaves the container alone; descriptors do not pile up")
    func attachClose() async throws {
        try await LiveEngine.withContainer(client, LiveEngine.spec("exec cat", input: .kept)) { id in
            for _ in 0..<3 { try await client.attach(id).close() }
            let before = try openDescriptors()
            for _ in 0..<40 {
                let attachment = try await client.attach(id)
                let reader = Task { for try await _ in attachment.frames {} }
                attachment.close()
                _ = await reader.result
            }
            _ = try await client.inspectContainer(id)
            #expect(try openDescriptors() < before + 30)
            #expect(try await client.inspectContainer(id)?.state.status == .running)
        }
    }

    @Test("events of one label arrive in order")
    func events() async throws {
        let label = LiveEngine.uniqueName("events")
        var filter = DockerClient.EventFilter()
        filter.types = ["container"]
        filter.actions = ["create", "start", "die", "destroy"]
        filter.labels = ["slipway.engine": label]
        filter.sinceSeconds = Date().timeIntervalSince1970
        let stream = try await client.events(filter)
        let spec = LiveEngine.spec("exit 3", labels: ["slipway.engine": label])
        let id = try await LiveEngine.withContainer(client, spec) { id in
            _ = try await client.waitForContainer(id)
            return id
        }
        var seen: [String] = []
        for try await event in stream {
            #expect(event.id == id)
            #expect(event.timeNanoseconds > 0)
            if event.action == "die" { #expect(event.attributes["exitCode"] == "3") }
            seen.append(event.action)
            if event.action == "destroy" { break }
        }
        #expect(seen == ["create", "start", "die", "destroy"])
    }

    @Test("logs are cut to the tail and followed to the end")
    func logs() async throws {
        let spec = LiveEngine.spec(
            "for i in 1 2 3; do echo line $i; done; echo oops >&2; read x; echo last", input: .once)
        try await LiveEngine.withContainer(client, spec) { id in
            let followed = try await client.followLogs(id)
            let attachment = try await client.attach(id)
            try await attachment.write([10])
            var text: [UInt8] = []
            for try await frame in followed where frame.stream == .standardOutput { text += frame.bytes }
            #expect(String(decoding: text, as: UTF8.self) == "line 1\nline 2\nline 3\nlast\n")
            let tail = try await client.logs(id, tailLines: 1)
            #expect(String(decoding: tail.standardOutput, as: UTF8.self) == "last\n")
            let capped = try await client.logs(id, limitBytes: 6)
            #expect(String(decoding: capped.standardOutput, as: UTF8.self) == "line 1")
            #expect(String(decoding: capped.standardError, as: UTF8.self) == "oops\n")
        }
    }

    private func openDescriptors() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }
}
