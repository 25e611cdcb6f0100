import Foundation
import SlipwayCore
import SlipwayGateway
import TestSupport
import Testing

extension LiveJobs {
    /// Promise 13: what belongs to another tenant is not there, on every route, and looks like what never was.
    @Suite("Walls between tenants", .serialized, .enabled("no container engine answers", hasContainers), .engines())
    struct TenantWallTests {
        /// A request for one job.
        private struct Route {
            let method: String
            let path: String
            var headers: [(String, String)] = []

            func path(for id: String) -> String { path.replacingOccurrences(of: "{id}", with: id) }
        }

        /// Every route that names a job, as the gateway lists them, and those again in their other forms.
        private static let routes: [Route] =
            GatewayService.routeList.filter { $0.contains("{id}") }.map { entry in
                let words = entry.split(separator: " ").map(String.init)
                return Route(method: words[0], path: words[1])
            } + [
                Route(method: "GET", path: "/v1/jobs/{id}?wait=1"),
                Route(method: "GET", path: "/v1/jobs/{id}/logs?follow=true"),
                Route(method: "GET", path: "/v1/jobs/{id}/logs?stream=stderr&tail=3"),
                Route(method: "GET", path: "/v1/jobs/{id}/events", headers: [("Accept", "application/x-ndjson")]),
                Route(method: "GET", path: "/v1/jobs/{id}/events", headers: [("Last-Event-ID", "1")]),
                Route(
                    method: "GET", path: "/v1/jobs/{id}/result", headers: [("Accept", "application/octet-stream")]),
                Route(method: "GET", path: "/v1/jobs/{id}", headers: [("If-None-Match", "*")]),
            ]

        @Test("every route answers for a foreign job as for one that never was, whatever its state")
        func foreign() async throws {
            let engine = try await sharedEngine("docker")
            try await ServedEngine.run(engine, tenants: TenantMix.tenants) { served in
                var jobs: [(owner: TenantID, id: JobID)] = []
                for owner in TenantMix.tenants { jobs += try await endedJobs(engine, owner).map { (owner, $0) } }
                // Some of these run and some wait: there are fewer sandboxes than tenants.
                for owner in TenantMix.tenants {
                    let sleeper = JobRequest(task: .source("import time\ndef main(): time.sleep(600)"))
                    jobs.append((owner, try await engine.engine.submit(sleeper, tenant: owner).id))
                }
                for viewer in TenantMix.tenants {
                    for route in Self.routes {
                        let nobody = try await answer(served, viewer, route, JobID().description)
                        #expect(nobody.hasPrefix("404"), "\(route.method) \(route.path): \(nobody)")
                        for job in jobs where job.owner != viewer {
                            let foreign = try await answer(served, viewer, route, job.id.description)
                            #expect(foreign == nobody, "\(viewer) asks for a job of \(job.owner): \(route.path)")
                        }
                    }
                    try await checkLists(served, viewer, own: Set(jobs.filter { $0.owner == viewer }.map(\.id)))
                }
                // Whatever the strangers asked for, nothing of it happened.
                for job in jobs {
                    let state = try await engine.engine.job(job.id, tenant: job.owner).state
                    #expect(state != .cancelled, "a stranger cancelled \(job.id)")
                    if !state.isTerminal { try await engine.engine.cancel(job.id, tenant: job.owner) }
                    _ = try await engine.engine.wait(for: job.id, tenant: job.owner, upTo: .seconds(60))
                }
            }
        }

        @Test("one idempotency key in the hands of two tenants is two keys")
        func keys() async throws {
            let engine = try await sharedEngine("docker")
            try await ServedEngine.run(engine, tenants: TenantMix.tenants) { served in
                var ids: Set<String> = []
                for tenant in TenantMix.tenants {
                    let response = try await served.client(tenant).send(
                        "POST", "/v1/jobs?wait=60", headers: [("Idempotency-Key", "the-same")],
                        body: #"{"task":{"type":"source","code":"def main(): return 1"}}"#)
                    ids.insert(try #require(try JSONValue(parsing: response.body)["id"]?.text, "\(response.text)"))
                }
                #expect(ids.count == TenantMix.tenants.count)
            }
        }

        /// A completed job and a failed one.
        private func endedJobs(_ engine: TestEngine, _ owner: TenantID) async throws -> [JobID] {
            var ids: [JobID] = []
            for code in ["def main():\n    print('secret of \(owner)')\n    return 1", "def main(): raise ValueError"] {
                let request = JobRequest(task: .source(code))
                let outcome = try await engine.engine.submit(request, tenant: owner, waitingUpTo: .seconds(60))
                #expect(outcome.job.state.isTerminal)
                ids.append(outcome.job.id)
            }
            return ids
        }

        private func checkLists(_ served: ServedEngine, _ viewer: TenantID, own: Set<JobID>) async throws {
            let client = served.client(viewer)
            let page = try JSONValue(parsing: try await client.send("GET", "/v1/jobs?limit=500").body)
            guard case .array(let jobs)? = page["jobs"] else { throw TestFailure("\(page)") }
            #expect(Set(jobs.compactMap { $0["id"]?.text }) == Set(own.map(\.description)))
            let pools = try await client.send("GET", "/v1/pools").text
            for other in TenantMix.tenants where other != viewer {
                #expect(!pools.contains(other.description), "\(viewer) is told of \(other): \(pools)")
            }
        }

        /// Status, headers and body, without what differs between any two requests.
        private func answer(
            _ served: ServedEngine, _ viewer: TenantID, _ route: Route, _ id: String
        ) async throws -> String {
            let response = try await served.client(viewer).send(
                route.method, route.path(for: id), headers: route.headers)
            let headers = response.headers.filter { $0.name != "date" && $0.name != "x-request-id" }
            let text = response.text.replacingOccurrences(of: response.header("X-Request-Id") ?? " ", with: "REQUEST")
            return "\(response.status) \(headers) \(text.replacingOccurrences(of: id, with: "ID"))"
        }
    }
}
