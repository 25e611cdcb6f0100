import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Local processes are no security boundary: they serve the tenant `default` alone, unless the operator says so.
    @Suite("Tenants of local processes", .serialized)
    struct TrustedTenantTests {
        private static let code = "def main(): return 1"

        private var request: JobRequest {
            var request = JobRequest(task: .source(Self.code))
            request.handler = "process"
            return request
        }

        @Test("another tenant is refused, whether it names the handler or not, and nothing is stored")
        func refused() async throws {
            let test = try await TestEngine.start("process") { $0.pools.defaults.minIdle = 0 }
            let ann = try #require(TenantID("ann"))
            for asked in [request, JobRequest(task: .source(Self.code))] {
                let error = await #expect(throws: EngineError.self) {
                    try await test.engine.submit(asked, tenant: ann)
                }
                expectsRefusal(error)
                let batch = await #expect(throws: EngineError.self) {
                    try await test.engine.submit(batch: [asked], tenant: ann)
                }
                expectsRefusal(batch)
            }
            #expect(try await test.engine.jobs(tenant: ann).jobs.isEmpty)
            let own = try await test.run(request)
            #expect(own.job.state == .completed, "\(own.summary)")
            try await test.shutdownLeavingNothing()
        }

        private func expectsRefusal(_ error: EngineError?) {
            #expect(error?.code == .notAllowed)
            let message = error?.message ?? ""
            #expect(message.contains("local processes are no security boundary and serve the tenant 'default' only"))
            #expect(message.contains("runtime.trusted_tenants_only"))
        }

        @Test("a mount is refused, for a local process would run without it")
        func mounts() async throws {
            let test = try await TestEngine.start("process") {
                $0.pools.defaults.minIdle = 0
                $0.sandbox.mountAllow = ["/tmp"]
            }
            var mounting = request
            mounting.mounts = [.init(source: "/tmp", target: "/data")]
            let error = await #expect(throws: EngineError.self) { try await test.engine.submit(mounting) }
            #expect(error?.code == .notAllowed && error?.faults.first?.pointer == "/mounts/0/source")
            #expect(error?.message.contains("local processes") == true, "\(error?.message ?? "")")
            try await test.shutdownLeavingNothing()
        }

        @Test("the gateway says so with 422")
        func gateway() async throws {
            let test = try await TestEngine.start("process") { $0.pools.defaults.minIdle = 0 }
            let ann = try #require(TenantID("ann"))
            try await ServedEngine.run(test, tenants: [ann]) { served in
                let client = served.client(ann)
                let task = #""task":{"type":"source","code":"def main(): return 1"}"#
                for (path, body) in [
                    ("/v1/jobs", "{\(task)}"), ("/v1/jobs?wait=5", #"{"handler":"process",\#(task)}"#),
                    ("/v1/jobs/batch", "{\"jobs\":[{\(task)}]}"),
                ] {
                    let answer = try await client.send("POST", path, body: body)
                    #expect(answer.status == 422, "\(path): \(answer.text)")
                    #expect(answer.header("Content-Type") == "application/problem+json")
                    let problem = try JSONValue(parsing: answer.body)
                    #expect(problem["type"] == "/problems/not-allowed", "\(path): \(answer.text)")
                    let detail = problem["detail"]?.text ?? ""
                    #expect(detail.contains("serve the tenant 'default' only"), "\(path): \(answer.text)")
                }
                let list = try await client.send("GET", "/v1/jobs")
                #expect(try JSONValue(parsing: list.body)["jobs"] == [], "\(list.text)")
            }
            try await test.shutdownLeavingNothing()
        }

        @Test("an operator can let every tenant run there")
        func trusted() async throws {
            let test = try await TestEngine.start("process") {
                $0.pools.defaults.minIdle = 0
                $0.runtime.trustedTenantsOnly = false
            }
            let ann = try #require(TenantID("ann"))
            let outcome = try await test.engine.submit(request, tenant: ann, waitingUpTo: .seconds(60))
            #expect(outcome.job.state == .completed && outcome.value == 1, "\(outcome.summary)")
            try await test.shutdownLeavingNothing()
        }
    }
}
