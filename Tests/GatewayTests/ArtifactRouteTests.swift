import Foundation
import SlipwayCore
import SlipwayGateway
import Testing

@Suite("Artifacts over REST")
struct ArtifactRouteTests {
    private static let bytes = Array("0123456789".utf8)

    /// A job that has ended, with files.
    private func job(_ gateway: TestGateway, _ names: String..., state: JobState = .completed) async -> JobID {
        let job = Job.sample(state: state)
        await gateway.service.add(JobOutcome(job: job))
        for name in names { await gateway.service.leave(name, Self.bytes, of: job.id) }
        return job.id
    }

    @Test("the list names what is needed to fetch each file")
    func list() async throws {
        try await withGateway { gateway in
            let id = await job(gateway, "b.txt", "a/\u{e9} 1.html")
            let json = try await gateway.send("GET", "/v1/jobs/\(id)/artifacts").json()
            guard case .array(let artifacts)? = json["artifacts"] else { throw HTTPConnection.Failure(what: "list") }
            #expect(artifacts.map { $0["name"] } == ["a/\u{e9} 1.html", "b.txt"])
            #expect(artifacts[0]["url"] == .string("/v1/jobs/\(id)/artifacts/a/%C3%A9%201.html"))
            #expect(artifacts[0]["size"] == 10)
            for artifact in artifacts {
                let url = try #require(artifact["url"]?.text)
                #expect(try await gateway.send("GET", url).body == Self.bytes)
            }
        }
    }

    @Test("a file is sent so that no browser shows it")
    func headers() async throws {
        try await withGateway { gateway in
            let id = await job(gateway, "sub/\u{e9}\"x.html")
            let response = try await gateway.send("GET", "/v1/jobs/\(id)/artifacts/sub/%C3%A9%22x.html")
            #expect(response.status == 200)
            #expect(response.header("Content-Length") == "10")
            #expect(response.header("Content-Type") == "text/html; charset=utf-8")
            #expect(response.header("X-Content-Type-Options") == "nosniff")
            #expect(response.header("Content-Security-Policy") == "default-src 'none'; sandbox")
            #expect(
                response.header("Content-Disposition")
                    == "attachment; filename=\"___x.html\"; filename*=UTF-8''%C3%A9%22x.html")
            #expect(response.header("Accept-Ranges") == "bytes")
            let head = try await gateway.send("HEAD", "/v1/jobs/\(id)/artifacts/sub/%C3%A9%22x.html")
            #expect(head.status == 200)
            #expect(head.header("Content-Length") == "10")
        }
    }

    @Test(
        "ranges",
        arguments: [
            ("bytes=0-3", 206, "0123", "bytes 0-3/10"), ("bytes=7-", 206, "789", "bytes 7-9/10"),
            ("bytes=-2", 206, "89", "bytes 8-9/10"), ("bytes=-99", 206, "0123456789", "bytes 0-9/10"),
            ("bytes=9-99999999999999999999", 206, "9", "bytes 9-9/10"), ("bytes=10-", 416, nil, "bytes */10"),
            ("bytes=-0", 416, nil, "bytes */10"), ("bytes=4-2", 200, "0123456789", nil),
            ("bytes=0-1,3-4", 200, "0123456789", nil), ("lines=0-1", 200, "0123456789", nil),
            ("bytes=", 200, "0123456789", nil), ("bytes=a-b", 200, "0123456789", nil),
            ("bytes=-", 200, "0123456789", nil), ("bytes=+1-2", 200, "0123456789", nil),
        ] as [(String, Int, String?, String?)])
    func ranges(range: String, status: Int, text: String?, contentRange: String?) async throws {
        try await withGateway { gateway in
            let id = await job(gateway, "f")
            let response = try await gateway.send("GET", "/v1/jobs/\(id)/artifacts/f", headers: [("Range", range)])
            #expect(response.status == status)
            #expect(response.header("Content-Range") == contentRange)
            if let text { #expect(response.text == text) }
        }
    }

    @Test("entity tags: 304 for what is known, the whole file for a range of another")
    func entityTags() async throws {
        try await withGateway { gateway in
            let id = await job(gateway, "f")
            let path = "/v1/jobs/\(id)/artifacts/f"
            let tag = try #require(try await gateway.send("GET", path).header("ETag"))
            #expect(tag == "\"\(String(repeating: "ab", count: 32))\"")
            let known = try await gateway.send("GET", path, headers: [("If-None-Match", tag)])
            #expect(known.status == 304)
            #expect(known.body.isEmpty)
            let same = try await gateway.send("GET", path, headers: [("Range", "bytes=1-1"), ("If-Range", tag)])
            #expect(same.status == 206)
            let other = try await gateway.send("GET", path, headers: [("Range", "bytes=1-1"), ("If-Range", "\"x\"")])
            #expect(other.status == 200)
            #expect(other.body == Self.bytes)
        }
    }

    @Test("before the end 409, of others 404, and names that can be none")
    func refusals() async throws {
        var keys = StubKeys()
        let other = keys.add(try #require(TenantID("other")))
        try await withGateway(keys: keys) { gateway in
            let running = await job(gateway, "f", state: .running)
            for path in ["artifacts", "artifacts/f"] {
                let early = try await gateway.send("GET", "/v1/jobs/\(running)/\(path)")
                #expect(early.status == 409)
                #expect(try early.json()["type"] == "/problems/not-finished")
            }
            let id = await job(gateway, "f")
            let foreign = try await gateway.send("GET", "/v1/jobs/\(id)/artifacts/f", key: other)
            let missing = try await gateway.send("GET", "/v1/jobs/\(JobID())/artifacts/f", key: other)
            #expect(foreign.status == 404)
            let (one, two) = (try foreign.json(), try missing.json())
            for member in ["type", "title", "status", "detail"] { #expect(one[member] == two[member]) }
            let cases = [
                ("g", 404), ("", 422), ("/etc/passwd", 422), ("a//b", 422), ("a/../f", 400), ("%2e%2e/f", 400),
                ("..%2ff", 400), ("a%00", 400), ("a%0a", 400), ("a%5cb", 400), ("f/", 422), ("%252e%252e/f", 404),
                (String(repeating: "n", count: 256), 422), (String(repeating: "n/", count: 600) + "n", 422),
            ]
            for (name, status) in cases {
                let response = try await gateway.send("GET", "/v1/jobs/\(id)/artifacts/\(name)")
                #expect(response.status == status, "\(name)")
            }
            #expect(try await gateway.send("DELETE", "/v1/jobs/\(id)/artifacts/f").status == 405)
            #expect(try await gateway.send("GET", "/v1/jobs/\(id)/artifacts/f?x=1").status == 400)
        }
    }
}
