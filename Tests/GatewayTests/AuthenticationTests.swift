import Foundation
import SlipwayCore
import SlipwayGateway
import Testing

@Suite("Keys and tenants over REST")
struct AuthenticationTests {
    private func withoutRequestID(_ response: HTTPConnection.Response) throws -> String {
        let id = try #require(response.header("X-Request-Id"))
        return response.text.replacingOccurrences(of: id, with: "")
    }

    @Test("without a key there is nothing but health; unknown, revoked and expired keys look the same")
    func unauthorized() async throws {
        var keys = StubKeys()
        let revoked = keys.add(.default, isRevoked: true)
        let expired = keys.add(.default, expiresAt: Date(timeIntervalSince1970: 1))
        try await withGateway(keys: keys) { gateway in
            for path in ["/v1/jobs", "/v1/pools", "/metrics", "/v1/nothing"] {
                let response = try await gateway.send("GET", path, key: .some(nil))
                #expect(response.status == 401, "\(path)")
                #expect(response.header("WWW-Authenticate")?.hasPrefix("Bearer") == true)
            }
            for path in ["/healthz", "/readyz", "/openapi.json"] {
                #expect(try await gateway.send("GET", path, key: .some(nil)).status == 200, "\(path)")
            }
            let basic = try await gateway.send(
                "GET", "/v1/jobs", key: .some(nil), headers: [("Authorization", "Basic eDp5")])
            #expect(basic.status == 401)
            var answers: Set<String> = []
            for key in [APIKey().text, revoked, expired] {
                let response = try await gateway.send("GET", "/v1/jobs", key: key)
                #expect(response.status == 401)
                let headers = response.headers.filter { $0.name != "x-request-id" && $0.name != "date" }
                answers.insert("\(headers)" + (try withoutRequestID(response)))
            }
            #expect(answers.count == 1)
            let twice = try await gateway.send("GET", "/v1/jobs", headers: [("Authorization", "Bearer x")])
            #expect(twice.status == 400)
        }
    }

    @Test("a key does what its scopes say, and nothing for a suspended tenant")
    func scopes() async throws {
        var keys = StubKeys()
        let reader = keys.add(.default, [.read])
        let submitter = keys.add(.default, [.submit])
        let suspended = keys.add(.default, isSuspended: true)
        let body = #"{"task":{"type":"source","code":"x"}}"#
        try await withGateway(keys: keys) { gateway in
            #expect(try await gateway.send("GET", "/v1/jobs", key: reader).status == 200)
            let refused = try await gateway.send("POST", "/v1/jobs", key: reader, body: body)
            #expect(refused.status == 403)
            #expect(try refused.json()["type"] == "/problems/scope-missing")
            #expect(try await gateway.send("POST", "/v1/jobs", key: submitter, body: body).status == 202)
            #expect(try await gateway.send("GET", "/v1/jobs", key: submitter).status == 403)
            #expect(try await gateway.send("GET", "/v1/jobs", key: suspended).status == 403)
        }
    }

    @Test("a foreign, a missing and a malformed job look the same on every route")
    func notFound() async throws {
        var keys = StubKeys()
        let other = keys.add(try #require(TenantID("other")))
        try await withGateway(keys: keys) { gateway in
            let job = Job.sample(state: .completed)
            await gateway.service.add(JobOutcome(job: job))
            let routes = [
                ("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/result"), ("GET", "/logs"),
                ("GET", "/logs?follow=true"), ("GET", "/events"), ("GET", "?wait=1"),
            ]
            for (method, suffix) in routes {
                var answers: Set<String> = []
                for id in [job.id.description, JobID().description, "job_x", "%20", "' OR 1=1".filter { $0 != " " }] {
                    let response = try await gateway.send(method, "/v1/jobs/\(id)\(suffix)", key: other)
                    #expect(response.status == 404)
                    let headers = response.headers.filter {
                        !["x-request-id", "date", "content-length"].contains($0.name)
                    }
                    let instance = "/v1/jobs/\(id)\(suffix.prefix { $0 != "?" })"
                    answers.insert(
                        "\(headers)" + (try withoutRequestID(response)).replacingOccurrences(of: instance, with: ""))
                }
                #expect(answers.count == 1, "\(method) \(suffix)")
            }
            #expect(try await gateway.send("GET", "/v1/jobs/\(job.id)").status == 200)
            let unknown = try await gateway.send("GET", "/v1/nothing")
            #expect(unknown.status == 404)
        }
    }

    @Test("keys have their shape and never repeat")
    func keys() throws {
        let key = APIKey()
        #expect(key.text.utf8.count == 67)
        #expect(key.text.hasPrefix("slw_\(key.id)_"))
        #expect(key.hash == APIKey.hash(of: key.text))
        #expect(Set((0..<100).map { _ in APIKey().text }).count == 100)
    }

    @Test("the credentials file is private and comes back")
    func credentials() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("slipway-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = Credentials.defaultPath(environment: ["XDG_CONFIG_HOME": folder.path])
        #expect(path == folder.path + "/slipway/credentials")
        #expect(try Credentials.load(from: path) == nil)
        let credentials = Credentials(url: "http://127.0.0.1:1", key: "slw_a_b", tenant: "default")
        try credentials.write(to: path)
        try credentials.write(to: path)
        #expect(try Credentials.load(from: path) == credentials)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/slipway") == ["credentials"])
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        #expect(throws: EngineError.self) { try Credentials.load(from: path) }
        #expect(
            Credentials.defaultPath(environment: ["HOME": "/home/a", "XDG_CONFIG_HOME": "relative"])
                == "/home/a/.config/slipway/credentials")
    }
}
