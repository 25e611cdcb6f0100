import Foundation
import SlipwayCore
import Testing

@Suite("What the Docker client puts on the wire and reads from it")
struct DockerClientWireTests {
    @Test("a full container spec becomes the body that the Engine API documents")
    func createBody() async throws {
        let engine = try StubEngine { connection, _, _ in
            connection.respond(status: "201 Created", #"{"Id":"abc","Warnings":["slow"]}"#)
            return true
        }
        var spec = ContainerSpec(image: "i@sha256:1")
        spec.entrypoint = ["/e"]
        spec.command = []
        spec.environment = [("A", "1=2"), ("B", "")]
        spec.standardInput = .kept
        spec.networkMode = "none"
        spec.extraHosts = ["h:1.2.3.4"]
        spec.mounts = [
            .bind(source: "/s", target: "/t", isReadOnly: true), .volume(name: "v", target: "/v", isReadOnly: false),
            .tmpfs(target: "/x", sizeBytes: 5, mode: 0o1777),
        ]
        spec.usesInit = true
        spec.runtime = "runsc"
        spec.logDriver = .local(limitBytes: 9)
        spec.memoryBytes = 6
        spec.memorySwapBytes = 6
        spec.deviceRequests = [ContainerSpec.DeviceRequest(driver: "nvidia", deviceIDs: ["0", "1"])]
        let outcome = try await engine.client().createContainer(name: "n/../x", spec)
        #expect(outcome == .created(id: "abc", warnings: ["slow"]))
        let request = try #require(engine.requests.first)
        #expect(request.line == "POST /v1.41/containers/create?name=n%2F..%2Fx HTTP/1.1")
        let expected = """
            {"AttachStdin":true,"Cmd":[],"Entrypoint":["/e"],"Env":["A=1=2","B="],"HostConfig":{"DeviceRequests":\
            [{"Capabilities":[["gpu"]],"DeviceIDs":["0","1"],"Driver":"nvidia"}],"ExtraHosts":["h:1.2.3.4"],\
            "Init":true,"LogConfig":{"Config":{"compress":"false","max-file":"1","max-size":"9"},"Type":"local"},\
            "Memory":6,"MemorySwap":6,"Mounts":[{"ReadOnly":true,"Source":"/s","Target":"/t","Type":"bind"},\
            {"ReadOnly":false,"Source":"v","Target":"/v","Type":"volume","VolumeOptions":{"NoCopy":true}},\
            {"Target":"/x","TmpfsOptions":{"Mode":1023,"SizeBytes":5},"Type":"tmpfs"}],"NetworkMode":"none",\
            "ReadonlyRootfs":false,"Runtime":"runsc"},"Image":"i@sha256:1","Labels":{},"OpenStdin":true,\
            "StdinOnce":false,"Tty":false}
            """
        #expect(String(decoding: request.body, as: UTF8.self) == expected)
    }

    @Test("image references keep their slashes, ids lose theirs")
    func paths() async throws {
        let engine = try StubEngine { connection, _, _ in
            connection.respond(status: "404 Not Found", #"{"message":"none"}"#)
            return true
        }
        let client = engine.client()
        #expect(try await client.inspectImage("host:5/a/b@sha256:0?x") == nil)
        #expect(try await client.inspectContainer("../a b\u{e9}") == nil)
        #expect(
            engine.requests.map(\.line) == [
                "GET /v1.41/images/host:5/a/b@sha256:0%3Fx/json HTTP/1.1",
                "GET /v1.41/containers/..%2Fa%20b%C3%A9/json HTTP/1.1",
            ])
    }

    @Test("events come whole however the stream is cut", arguments: [1, 2, 3, 7, 64, 4096])
    func events(size: Int) async throws {
        let wire = Array(
            """
            {"Type":"container","Action":"die","Actor":{"ID":"a","Attributes":{"exitCode":"1","x":"\u{1F40D}"}},"timeNano":5}\r

            {"Type":"container","Action":"oom","Actor":{"ID":"b","Attributes":null},"timeNano":6}
            {"Type":"daemon"}

            """.utf8)
        let engine = try StubEngine { connection, _, _ in
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: wire.count, by: size) {
                let piece = Array(wire[start..<min(wire.count, start + size)])
                connection.write(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10])
            }
            connection.write("0\r\n\r\n")
            return true
        }
        var seen: [String] = []
        for try await event in try await engine.client().events() {
            seen.append("\(event.type) \(event.action) \(event.id) \(event.attributes.count) \(event.timeNanoseconds)")
        }
        #expect(seen == ["container die a 2 5", "container oom b 0 6", "daemon   0 0"])
    }

    @Test("an event stream that ends inside an event, holds no JSON, or an endless line is an error")
    func brokenEvents() async throws {
        for body in [#"{"Type":"container""#, "nonsense\n", String(repeating: "x", count: 2_000_000)] {
            let engine = try StubEngine { connection, _, _ in
                connection.respond(body)
                return true
            }
            let stream = try await engine.client().events()
            await #expect(throws: EngineError.self) { for try await _ in stream {} }
        }
    }

    @Test("an upgrade's answer is found however it is cut, with the stream's first bytes", arguments: 1..<40)
    func upgrade(size: Int) async throws {
        let answer = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nUpgrade: tcp\r\n\r\n"
        let wire = Array(answer.utf8) + [1, 0, 0, 0, 0, 0, 0, 5] + Array("hello".utf8)
        let engine = try StubEngine { connection, line, _ in
            #expect(line == "POST /v1.41/containers/box/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1")
            for start in stride(from: 0, to: wire.count, by: size) {
                connection.write(Array(wire[start..<min(wire.count, start + size)]))
            }
            return false
        }
        var output: [UInt8] = []
        for try await frame in try await engine.client().attach("box").frames {
            #expect(frame.stream == .standardOutput)
            output += frame.bytes
        }
        #expect(output == Array("hello".utf8))
    }

    @Test("attach names refusals, garbage, silence, and streams that break")
    func attachFaults() async throws {
        let answers: [(String, EngineError.Code)] = [
            ("HTTP/1.1 409 Conflict\r\nContent-Length: 21\r\n\r\n{\"message\":\"frozen!\"}\n", .containerEngineError),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", .containerEngineError),
            ("SSH-2.0-OpenSSH\r\n\r\n", .containerEngineError),
            ("HTTP/1.1 101 UPGR", .containerEngineUnavailable),
            (String(repeating: "x", count: 100_000), .containerEngineError),
        ]
        for (answer, code) in answers {
            let engine = try StubEngine { connection, _, _ in
                connection.write(answer)
                return false
            }
            let error = await #expect(throws: EngineError.self) { try await engine.client().attach("box") }
            #expect(error?.code == code, "after \(answer.prefix(40))")
        }
        let silent = try StubEngine { connection, _, _ in
            connection.hang()
            return false
        }
        let timeout = await #expect(throws: EngineError.self) {
            try await silent.client { $0.timeouts.total = .milliseconds(50) }.attach("box")
        }
        #expect(timeout?.code == .timeout)
        for stream in [[1, 0, 0, 0, 0, 0, 0, 5, 65] as [UInt8], [9, 0, 0, 0, 0, 0, 0, 0]] {
            let engine = try StubEngine { connection, _, _ in
                connection.write(Array("HTTP/1.1 101 UPGRADED\r\n\r\n".utf8) + stream)
                return false
            }
            let frames = try await engine.client().attach("box").frames
            let error = await #expect(throws: EngineError.self) { for try await _ in frames {} }
            #expect(error?.code == .containerEngineError)
        }
    }

    @Test("an image archive that is refused half-way ends with the engine's words, not with a stuck writer")
    func refusedUpload() async throws {
        let engine = try StubEngine { connection, _, _ in
            connection.respond(#"{"stream":"Loading"}"# + "\n" + #"{"errorDetail":{},"error":"no space left"}"# + "\n")
            return true
        }
        let chunks = AsyncStream<[UInt8]> { continuation in
            for _ in 0..<50 { continuation.yield([UInt8](repeating: 0, count: 100_000)) }
            continuation.finish()
        }
        let error = await #expect(throws: EngineError.self) { try await engine.client().loadImages(from: chunks) }
        #expect(error?.message == "the container engine could not load images: no space left")
        #expect(engine.requests.first?.body.count == 5_000_000)
    }
}
