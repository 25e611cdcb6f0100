import Foundation
import SlipwayCore
import SlipwayGateway
import Testing

@Suite("Submitting jobs over REST")
struct SubmitTests {
    private let source = #"{"task":{"type":"source","code":"def main(x):\n    return x","args":[1]}}"#

    @Test("a job is accepted with 202, its address and its JSON")
    func accepted() async throws {
        try await withGateway { gateway in
            let response = try await gateway.send("POST", "/v1/jobs", body: source)
            #expect(response.status == 202)
            let job = try response.json()
            let id = try #require(job["id"]?.text)
            #expect(response.header("Location") == "/v1/jobs/\(id)")
            #expect(job["state"] == "queued")
            #expect(job["created_at"] == "2025-03-01T12:00:00.000Z")
            #expect(job["result_url"] == .string("/v1/jobs/\(id)/result"))
            #expect(response.header("Cache-Control") == "no-store")
            #expect(response.header("X-Content-Type-Options") == "nosniff")
            #expect(response.header("X-Request-Id")?.isEmpty == false)
            #expect(response.header("Content-Type") == "application/json")
        }
    }

    @Test("header and body leave in one write")
    func oneWrite() async throws {
        try await withGateway { gateway in
            let response = try await gateway.send("POST", "/v1/jobs", body: source)
            #expect(response.firstRead > response.body.count)
        }
    }

    @Test("the engine gets every field, and the task's own bytes")
    func fields() async throws {
        var limits = RequestLimits()
        limits.mounts = ["/data"]
        limits.gpuDevices = 1
        try await withGateway(limits: limits) { gateway in
            let task = #"{ "type":"source", "code":"def main(): pass" , "kwargs":{"y": 2.50} }"#
            let body = """
                {"name":"a \\"b\\"\\n","handler":"docker","image":"slipway/python:3.11","task":\(task),
                 "requirements":["numpy==2.*"],"env":{"MODE":"fast"},
                 "resources":{"cpus":1,"memory":"512m","pids":128,"tmp":268435456,"shm":"64MiB","open_files":256,
                              "gpus":{"count":1,"memory":"8g"}},
                 "network":"none","mounts":[{"source":"/data/in","target":"/data","mode":"ro"}],
                 "timeout":"30s","queue_timeout":600,"retry":{"max_attempts":3,"backoff":0.5},"priority":-7,
                 "labels":{"team":"a"},"preload":["numpy.linalg"],"secrets":null}
                """
            let response = try await gateway.send("POST", "/v1/jobs", body: body)
            #expect(response.status == 202, "\(response.text)")
            let request = try #require(await gateway.service.submissions.first).request
            #expect(request.name == "a \"b\"\n")
            #expect(request.handler == "docker")
            #expect(request.image == "slipway/python:3.11")
            #expect(request.requirements == ["numpy==2.*"])
            #expect(request.env == ["MODE": "fast"])
            #expect(
                request.resources
                    == ResourceRequest(
                        cpus: 1, memoryBytes: 512 << 20, pids: 128, tmpBytes: 256 << 20, shmBytes: 64 << 20,
                        openFiles: 256, gpus: .init(count: 1, memoryBytes: 8 << 30)))
            #expect(request.mounts == [.init(source: "/data/in", target: "/data")])
            #expect(request.timeout == .seconds(30))
            #expect(request.queueTimeout == .seconds(600))
            #expect(request.retry == .init(maxAttempts: 3, backoff: .milliseconds(500)))
            #expect(request.priority == -7)
            #expect(request.labels == ["team": "a"])
            #expect(request.preload == ["numpy.linalg"])
            guard case .plain(let bytes) = request.task.input else {
                Issue.record("the input of a source task is its JSON")
                return
            }
            #expect(String(decoding: bytes, as: UTF8.self) == task)
        }
    }

    @Test("a callable travels as the base64 that came", arguments: [#"eJwD\/AAA"#, "eJwD/AAA"])
    func callable(_ text: String) async throws {
        try await withGateway { gateway in
            let body = #"{"task":{"type":"callable","python":"3.11.4","data":"\#(text)"}}"#
            #expect(try await gateway.send("POST", "/v1/jobs", body: body).status == 202)
            let task = try #require(await gateway.service.submissions.first).request.task
            #expect(task.python == "3.11")
            guard case .packed(let bytes) = task.input else {
                Issue.record("the input of a callable is packed")
                return
            }
            #expect(String(decoding: bytes, as: UTF8.self) == "eJwD/AAA")
        }
    }

    @Test("a wait is answered 200 with the result, or 202 without")
    func wait() async throws {
        try await withGateway { gateway in
            let early = try await gateway.send("POST", "/v1/jobs", headers: [("Prefer", "wait=2")], body: source)
            #expect(early.status == 202)
            #expect(early.header("Preference-Applied") == "wait=2")
            #expect(await gateway.service.submissions.last?.wait == .seconds(2))

            await gateway.service.endJobs { job in
                var job = job
                job.state = .completed
                job.timings = .init(queued: 0.0004, start: nil, run: 0.00212345678, total: 0.0031)
                return JobOutcome(job: job, result: JobResult(media: .json, bytes: Array("[1, 2]".utf8)))
            }
            let done = try await gateway.send("POST", "/v1/jobs?wait=5m", body: source)
            #expect(done.status == 200)
            #expect(done.header("Preference-Applied") == nil)
            #expect(await gateway.service.submissions.last?.wait == .seconds(60))
            #expect(done.text.contains(#""result":{"media_type":"application/json","value":[1, 2]}"#))
            #expect(try done.json()["timings"]?["run"] == .number(0.002123))
            #expect(try await gateway.send("POST", "/v1/jobs?wait=soon", body: source).status == 400)
        }
    }

    @Test("an idempotency key comes with the hash of the request")
    func idempotency() async throws {
        try await withGateway { gateway in
            for key in ["k-1", "\"k-1\""] {
                let response = try await gateway.send(
                    "POST", "/v1/jobs", headers: [("Idempotency-Key", key)], body: source)
                #expect(response.status == 202)
            }
            _ = try await gateway.send(
                "POST", "/v1/jobs", headers: [("Idempotency-Key", "k-1")], body: source + " ")
            let keys = await gateway.service.submissions.compactMap(\.idempotency)
            #expect(keys.map(\.text) == ["k-1", "k-1", "k-1"])
            #expect(keys[0].requestHash.count == 32)
            #expect(keys[0].requestHash == keys[1].requestHash)
            #expect(keys[0].requestHash != keys[2].requestHash)
            for bad in ["a b", "\"open", "a\"b", String(repeating: "x", count: 256), "\"\\x\"", "\"\""] {
                let response = try await gateway.send(
                    "POST", "/v1/jobs", headers: [("Idempotency-Key", bad)], body: source)
                #expect(response.status == 400, "\(bad)")
            }
        }
    }

    @Test("a batch is accepted as a whole; faults point into it")
    func batch() async throws {
        try await withGateway { gateway in
            let task = #"{"task":{"type":"source","code":"x"}}"#
            let good = try await gateway.send("POST", "/v1/jobs/batch", body: #"{"jobs":[\#(task),\#(task)]}"#)
            #expect(good.status == 202)
            guard case .array(let jobs)? = try good.json()["jobs"] else {
                Issue.record("there are no jobs")
                return
            }
            #expect(jobs.count == 2)
            let bad = try await gateway.send(
                "POST", "/v1/jobs/batch", body: #"{"jobs":[\#(task),{"task":{"type":"source"},"nam":1},7]}"#)
            #expect(bad.status == 422)
            #expect(bad.text.contains(#""pointer":"/jobs/1/task/code""#))
            #expect(bad.text.contains(#""pointer":"/jobs/1/nam""#))
            #expect(bad.text.contains(#""pointer":"/jobs/2""#))
            #expect(await gateway.service.submissions.count == 2)
            #expect(try await gateway.send("POST", "/v1/jobs/batch", body: #"{"jobs":[]}"#).status == 422)
        }
    }

    @Test("a batch has 1,000 jobs at most")
    func largestBatch() async throws {
        try await withGateway { gateway in
            func send(_ count: Int) async throws -> HTTPConnection.Response {
                let jobs = Array(repeating: #"{"task":{"type":"source","code":"x"}}"#, count: count)
                return try await gateway.send(
                    "POST", "/v1/jobs/batch", body: #"{"jobs":[\#(jobs.joined(separator: ","))]}"#)
            }
            let refused = try await send(1001)
            #expect(refused.status == 422, "\(refused.text)")
            let faults: JSONValue = [
                ["pointer": "/jobs", "code": "out-of-range", "detail": "A batch has 1 to 1000 jobs"]
            ]
            #expect(try refused.json()["errors"] == faults)
            #expect(await gateway.service.submissions.isEmpty)
            let accepted = try await send(1000)
            #expect(accepted.status == 202, "\(accepted.text.prefix(500))")
            guard case .array(let jobs)? = try accepted.json()["jobs"] else {
                Issue.record("there are no jobs")
                return
            }
            #expect(Set(jobs.compactMap { $0["id"]?.text }).count == 1000)
            #expect(await gateway.service.submissions.count == 1000)
        }
    }
}
