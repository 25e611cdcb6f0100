import Foundation
import SlipwayCore
import SlipwayGateway
import Testing

@Suite("Environments over REST")
struct EnvironmentRouteTests {
    private static func sample() -> EnvironmentStatus {
        var status = EnvironmentStatus(
            id: "0123456789abcdef01234567", key: "0123456789abcdef01234567", state: .ready, requirements: ["numpy"],
            runtime: "docker", image: "i", createdAt: Date(timeIntervalSince1970: 1_740_830_400))
        status.packages = [.init(name: "numpy", version: "2.1", hashes: ["sha256:ab"])]
        status.bytes = 7
        status.isUsed = true
        status.log = "Collecting numpy\n"
        return status
    }

    @Test("a tenant's list has no logs; one environment has its log and its lock")
    func reading() async throws {
        var keys = StubKeys()
        let tenant = try #require(TenantID("other"))
        let other = keys.add(tenant)
        try await withGateway(keys: keys) { gateway in
            await gateway.service.setEnvironments([Self.sample()], of: .default)
            let list = try await gateway.send("GET", "/v1/environments")
            #expect(list.status == 200)
            guard case .array(let all)? = try list.json()["environments"] else {
                Issue.record("there is no list")
                return
            }
            let item = try #require(all.first)
            #expect(item["state"] == "ready")
            #expect(item["size"] == 7)
            #expect(item["in_use"] == true)
            #expect(item["last_used_at"] == .null)
            #expect(item["log"] == nil)
            #expect(item["resolved"] == [["name": "numpy", "version": "2.1", "hashes": ["sha256:ab"]]])
            let one = try await gateway.send("GET", "/v1/environments/\(Self.sample().id)")
            #expect(try one.json()["log"] == "Collecting numpy\n")
            #expect(try one.json()["lock"] == "numpy==2.1 \\\n    --hash=sha256:ab\n")
            let foreign = try await gateway.send("GET", "/v1/environments", key: other)
            #expect(try foreign.json()["environments"] == [])
            let hidden = try await gateway.send("GET", "/v1/environments/\(Self.sample().id)", key: other)
            #expect(hidden.status == 404)
            let long = String(repeating: "a", count: 100)
            #expect(try await gateway.send("GET", "/v1/environments/\(long)").status == 404)
            #expect(try await gateway.send("GET", "/v1/environments?x=1").status == 400)
        }
    }

    @Test("building passes the need on, and says all faults at once")
    func building() async throws {
        var limits = RequestLimits()
        limits.projects = ["/src"]
        try await withGateway(limits: limits) { gateway in
            let made = try await gateway.send(
                "POST", "/v1/environments?wait=5",
                body: #"{"image": "i:1", "requirements": ["numpy==2.*"], "project": "/src/a"}"#)
            #expect(made.status == 202)
            #expect(made.header("Location") == "/v1/environments/made")
            let asked = try #require(await gateway.service.environmentRequests.first)
            #expect(asked.request.requirements == ["numpy==2.*"])
            #expect((asked.request.image, asked.request.project) == ("i:1", "/src/a"))
            #expect(asked.wait == .seconds(5))
            let bad = try await gateway.send(
                "POST", "/v1/environments", body: #"{"requirements": ["-e ."], "task": {}, "project": "/etc"}"#)
            #expect(bad.status == 422)
            guard case .array(let errors)? = try bad.json()["errors"] else {
                Issue.record("there are no errors")
                return
            }
            #expect(errors.compactMap { $0["pointer"]?.text }.sorted() == ["/project", "/requirements/0", "/task"])
            let alone = try await gateway.send("POST", "/v1/environments", body: #"{"project": "/etc"}"#)
            #expect(try alone.json()["type"] == "/problems/not-allowed")
        }
    }

    @Test("pruning passes its limits on")
    func pruning() async throws {
        try await withGateway { gateway in
            await gateway.service.setEnvironments([Self.sample()], of: .default)
            let answer = try await gateway.send(
                "POST", "/v1/environments/prune", body: #"{"ids": ["a"], "unused_for": "7d"}"#)
            #expect(answer.status == 200)
            let asked = try #require(await gateway.service.prunings.first)
            #expect(asked.ids == ["a"])
            #expect(asked.unusedFor == .days(7))
            guard case .array(let removed)? = try answer.json()["removed"] else {
                Issue.record("there is no list")
                return
            }
            #expect(removed.count == 1)
            #expect(
                try await gateway.send("POST", "/v1/environments/prune", body: #"{"unused_for": "soon"}"#).status == 422
            )
            #expect(try await gateway.send("POST", "/v1/environments/prune", body: #"{"all": true}"#).status == 422)
        }
    }

    @Test("looking needs read, building and pruning need submit")
    func scopes() async throws {
        var keys = StubKeys()
        let reader = keys.add(.default, [.read])
        let submitter = keys.add(.default, [.submit])
        try await withGateway(keys: keys) { gateway in
            let seen = try await gateway.send("GET", "/v1/environments", key: reader)
            let hidden = try await gateway.send("GET", "/v1/environments", key: submitter)
            #expect(seen.status == 200)
            #expect(hidden.status == 403)
            for path in ["/v1/environments", "/v1/environments/prune"] {
                let refused = try await gateway.send("POST", path, key: reader, body: "{}")
                let done = try await gateway.send("POST", path, key: submitter, body: "{}")
                #expect(refused.status == 403)
                #expect(done.status < 300)
            }
        }
    }
}
