import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Tenants and keys on a running server.
    @Suite("Administration over REST", .serialized, .servers)
    struct AdministrationTests {
        private static let job = #"{"task":{"type":"command","argv":["true"]},"handler":"docker"}"#

        private func admin() async throws -> HTTPClient { try await sharedServer().client }

        private func made(
            _ body: String, at path: String, _ client: HTTPClient, status: Int = 201
        ) async throws -> JSONValue {
            let response = try await client.send("POST", path, body: body)
            #expect(response.status == status, "\(response.text)")
            return try JSONValue(parsing: response.body)
        }

        private func key(of tenant: String, _ scopes: String, more: String = "") async throws -> (HTTPClient, String) {
            let client = try await admin()
            let answer = try await made(
                "{\"scopes\":[\(scopes)]\(more)}", at: "/v1/admin/tenants/\(tenant)/keys", client)
            return (
                HTTPClient(client.address, key: try #require(answer["key"]?.text)), try #require(answer["id"]?.text)
            )
        }

        @Test("a tenant is made, gets a key, is suspended and resumed, and its key is revoked")
        func life() async throws {
            let client = try await admin()
            let tenant = try await made(#"{"id":"acme"}"#, at: "/v1/admin/tenants", client)
            #expect(tenant["suspended"] == false)
            _ = try await made(#"{"id":"acme"}"#, at: "/v1/admin/tenants", client, status: 409)
            let (acme, id) = try await key(of: "acme", #""read""#)
            #expect(try await acme.send("GET", "/v1/jobs").status == 200)
            #expect(try await acme.send("POST", "/v1/jobs", body: Self.job).status == 403)
            for path in ["/v1/admin/tenants", "/v1/admin/tenants/acme/keys"] {
                #expect(try await acme.send("GET", path).status == 403)
            }
            // A key that was used a moment ago is refused at once.
            let suspended = try await client.send("PATCH", "/v1/admin/tenants/acme", body: #"{"suspended":true}"#)
            #expect(try JSONValue(parsing: suspended.body)["suspended"] == true)
            let refused = try await acme.send("GET", "/v1/jobs")
            #expect(refused.status == 403)
            #expect(try JSONValue(parsing: refused.body)["type"] == "/problems/tenant-suspended")
            #expect(
                try await client.send("PATCH", "/v1/admin/tenants/acme", body: #"{"suspended":false}"#).status == 200)
            #expect(try await acme.send("GET", "/v1/jobs").status == 200)
            #expect(try await client.send("DELETE", "/v1/admin/tenants/acme/keys/\(id)").status == 204)
            #expect(try await acme.send("GET", "/v1/jobs").status == 401)
            let list = try await client.send("GET", "/v1/admin/tenants/acme/keys")
            guard case .array(let keys)? = try JSONValue(parsing: list.body)["keys"] else {
                throw TestFailure(list.text)
            }
            #expect(keys.map { $0["id"]?.text } == [id])
            #expect(keys[0]["revoked_at"]?.text != nil)
            #expect(keys[0]["key"] == nil)
            #expect(!list.text.contains("slw_"))
            #expect(try await client.send("DELETE", "/v1/admin/tenants/acme").status == 204)
            #expect(try await client.send("GET", "/v1/admin/tenants/acme").status == 404)
            let tenants = try await client.send("GET", "/v1/admin/tenants")
            #expect(!tenants.text.contains("acme"))
        }

        @Test("a removed tenant leaves no job and no key, and a busy one is not removed")
        func removal() async throws {
            guard ContainerEngine.answers else { return }
            let client = try await admin()
            _ = try await made(#"{"id":"gone"}"#, at: "/v1/admin/tenants", client)
            let (gone, _) = try await key(of: "gone", #""read","submit""#)
            let ended = try await gone.send("POST", "/v1/jobs?wait=50", body: Self.job)
            #expect(ended.status == 200, "\(ended.text)")
            let running = try await gone.send(
                "POST", "/v1/jobs", body: #"{"task":{"type":"command","argv":["sleep","60"]}}"#)
            let job = try #require(try JSONValue(parsing: running.body)["id"]?.text)
            let busy = try await client.send("DELETE", "/v1/admin/tenants/gone")
            #expect(busy.status == 409)
            #expect(try JSONValue(parsing: busy.body)["type"] == "/problems/tenant-busy")
            #expect(try await gone.send("POST", "/v1/jobs/\(job)/cancel").status == 202)
            let ending = try await gone.send("GET", "/v1/jobs/\(job)?wait=50")
            #expect(try JSONValue(parsing: ending.body)["state"] == "cancelled")
            #expect(try await client.send("DELETE", "/v1/admin/tenants/gone").status == 204)
            #expect(try await gone.send("GET", "/v1/jobs").status == 401)
            // One of the same name made later sees nothing of it.
            _ = try await made(#"{"id":"gone"}"#, at: "/v1/admin/tenants", client)
            let (again, _) = try await key(of: "gone", #""read""#)
            let list = try JSONValue(parsing: try await again.send("GET", "/v1/jobs").body)
            #expect(list["jobs"] == [])
            #expect(try await client.send("DELETE", "/v1/admin/tenants/gone").status == 204)
        }

        @Test("what would lock everybody out is refused")
        func lockOut() async throws {
            let client = try await admin()
            let own = try await client.send(
                "PATCH", "/v1/admin/tenants/default", body: #"{"suspended":true}"#)
            #expect(own.status == 409)
            #expect(try JSONValue(parsing: own.body)["type"] == "/problems/own-tenant")
            #expect(try await client.send("DELETE", "/v1/admin/tenants/default").status == 409)
            let id = String((client.key ?? "").split(separator: "_")[1])
            let last = try await client.send("DELETE", "/v1/admin/tenants/default/keys/\(id)")
            #expect(last.status == 409)
            #expect(try JSONValue(parsing: last.body)["type"] == "/problems/last-admin-key")
            let (second, secondID) = try await key(of: "default", #""admin""#)
            #expect(try await second.send("GET", "/v1/admin/tenants").status == 200)
            #expect(try await second.send("DELETE", "/v1/admin/tenants/default/keys/\(secondID)").status == 204)
            #expect(try await second.send("GET", "/v1/admin/tenants").status == 401)
        }

        @Test("bad input is named with its place")
        func badInput() async throws {
            let client = try await admin()
            let path = "/v1/admin/tenants"
            let faults: [(String, String, String)] = [
                (path, #"{}"#, "/id"), (path, #"{"id":"A B"}"#, "/id"), (path, #"{"id":"x","n":1}"#, "/n"),
                (path, #"{"id":"x","suspended":"no"}"#, "/suspended"),
                (path + "/default/keys", #"{}"#, "/scopes"), (path + "/default/keys", #"{"scopes":[]}"#, "/scopes"),
                (path + "/default/keys", #"{"scopes":["root"]}"#, "/scopes/0"),
                (path + "/default/keys", #"{"scopes":["read"],"expires_in":0}"#, "/expires_in"),
            ]
            for (path, body, pointer) in faults {
                let answer = try await made(body, at: path, client, status: 422)
                guard case .array(let errors)? = answer["errors"] else { throw TestFailure("\(answer)") }
                #expect(errors.map { $0["pointer"]?.text } == [pointer], "\(body)")
            }
            for path in ["/v1/admin/tenants/nobody", "/v1/admin/tenants/No%20body"] {
                #expect(try await client.send("GET", path).status == 404)
                #expect(try await client.send("GET", path + "/keys").status == 404)
            }
            #expect(try await client.send("DELETE", "/v1/admin/tenants/default/keys/nokey").status == 404)
            let (short, _) = try await key(of: "default", #""read""#, more: #","expires_in":"1s""#)
            #expect(try await short.send("GET", "/v1/jobs").status == 200)
            try await waitUntil("the key has expired", within: .seconds(5)) {
                try await short.send("GET", "/v1/jobs").status == 401
            }
        }
    }
}
