import Foundation
import SlipwayCore
import SlipwayGateway
import Testing

@Suite("Jobs over REST")
struct JobRouteTests {
    private func event(_ job: Job, _ seq: Int, _ type: String, _ json: String) -> JobEvent {
        JobEvent(jobID: job.id, seq: seq, time: Date(), type: type, json: Array(json.utf8))
    }

    @Test("an unchanged job is 304")
    func entityTags() async throws {
        try await withGateway { gateway in
            let job = Job.sample(name: "n")
            await gateway.service.add(JobOutcome(job: job))
            let first = try await gateway.send("GET", "/v1/jobs/\(job.id)")
            let tag = try #require(first.header("ETag"))
            let same = try await gateway.send(
                "GET", "/v1/jobs/\(job.id)", headers: [("If-None-Match", "\"x\", \(tag)")])
            #expect(same.status == 304)
            #expect(same.body.isEmpty)
            var changed = job
            changed.state = .running
            await gateway.service.add(JobOutcome(job: changed))
            let other = try await gateway.send("GET", "/v1/jobs/\(job.id)", headers: [("If-None-Match", tag)])
            #expect(other.status == 200)
            #expect(other.header("ETag") != tag)
        }
    }

    @Test("lists pass their filters on")
    func list() async throws {
        try await withGateway { gateway in
            for _ in 0..<3 { await gateway.service.add(JobOutcome(job: .sample())) }
            let response = try await gateway.send(
                "GET", "/v1/jobs?state=queued,running&label=team:a,x:y%3Az&name=n+1&limit=2&cursor=c")
            #expect(response.status == 200)
            #expect(try response.json()["next_cursor"] == "next")
            #expect(
                await gateway.service.lastQuery
                    == JobQuery(
                        states: [.queued, .running], labels: ["team": "a", "x": "y:z"], name: "n 1", limit: 2,
                        cursor: "c"))
        }
    }

    @Test("only=queued cancels a job that has not started and no other")
    func cancelOnlyQueued() async throws {
        try await withGateway { gateway in
            let queued = Job.sample()
            let running = Job.sample(state: .running)
            for job in [queued, running] { await gateway.service.add(JobOutcome(job: job)) }
            #expect(try await gateway.send("POST", "/v1/jobs/\(queued.id)/cancel?only=queued").status == 202)
            #expect(try await gateway.send("POST", "/v1/jobs/\(queued.id)/cancel?only=queued").status == 200)
            let refused = try await gateway.send("POST", "/v1/jobs/\(running.id)/cancel?only=queued")
            #expect(refused.status == 409)
            #expect(try refused.json()["type"] == "/problems/already-started")
            #expect(try refused.json()["state"] == "running")
            #expect(try await gateway.send("POST", "/v1/jobs/\(running.id)/cancel?only=running").status == 400)
            #expect(try await gateway.send("POST", "/v1/jobs/\(JobID())/cancel?only=queued").status == 404)
        }
    }

    @Test("cancel is 202, then 200, and 409 for a job that has ended; delete needs an end")
    func cancelAndDelete() async throws {
        try await withGateway { gateway in
            let job = Job.sample()
            await gateway.service.add(JobOutcome(job: job))
            #expect(try await gateway.send("DELETE", "/v1/jobs/\(job.id)").status == 409)
            #expect(try await gateway.send("GET", "/v1/jobs/\(job.id)/result").status == 409)
            #expect(try await gateway.send("POST", "/v1/jobs/\(job.id)/cancel").status == 202)
            #expect(try await gateway.send("POST", "/v1/jobs/\(job.id)/cancel").status == 200)
            let ended = Job.sample(state: .completed)
            await gateway.service.add(JobOutcome(job: ended))
            let late = try await gateway.send("POST", "/v1/jobs/\(ended.id)/cancel")
            #expect(late.status == 409)
            #expect(try late.json()["type"] == "/problems/already-terminal")
            let deleted = try await gateway.send("DELETE", "/v1/jobs/\(ended.id)")
            #expect(deleted.status == 204)
            #expect(deleted.body.isEmpty)
            #expect(try await gateway.send("GET", "/v1/jobs/\(ended.id)").status == 404)
        }
    }

    @Test("results of every kind, as JSON and as bytes")
    func results() async throws {
        try await withGateway { gateway in
            let outcomes: [(JobResult, [UInt8]?, String)] = [
                (
                    .init(media: .json, bytes: Array("{\"a\": 1}".utf8)), nil,
                    #""media_type":"application/json","value":{"a": 1}"#
                ),
                (
                    .init(media: .json, bytes: Array("NaN".utf8)), nil,
                    #""media_type":"application/json","encoding":"base64","data":"TmFO""#
                ),
                (
                    .init(media: .pickle, bytes: [0x80]), Array("eJw=".utf8),
                    #""media_type":"application/vnd.python.pickle","encoding":"zlib+base64","data":"eJw=""#
                ),
                (.init(media: .pickle, bytes: [0x80]), nil, #""encoding":"base64","data":"gA==""#),
                (.init(media: .text, bytes: [], exitCode: 0), nil, #""media_type":"text/plain","exit_code":0"#),
            ]
            for (result, packed, expected) in outcomes {
                let job = Job.sample(state: .completed)
                await gateway.service.add(JobOutcome(job: job, result: result, packedText: packed))
                let json = try await gateway.send("GET", "/v1/jobs/\(job.id)/result")
                #expect(json.status == 200)
                #expect(json.text.contains(expected), "\(json.text)")
                #expect(try json.json()["error"] == JSONValue.null)
                let raw = try await gateway.send(
                    "GET", "/v1/jobs/\(job.id)/result", headers: [("Accept", "application/octet-stream")])
                #expect(raw.body == result.bytes)
                #expect(raw.header("Content-Type") == result.media.rawValue)
            }
        }
    }

    @Test("the result of a failed job is 200 with its error")
    func failed() async throws {
        try await withGateway { gateway in
            var job = Job.sample(state: .error)
            job.error = JobError(kind: .exception, type: "ValueError", message: "a \"b\"\n", traceback: "tb")
            await gateway.service.add(JobOutcome(job: job))
            for accept in ["application/json", "application/octet-stream"] {
                let response = try await gateway.send("GET", "/v1/jobs/\(job.id)/result", headers: [("Accept", accept)])
                #expect(response.status == 200)
                #expect(try response.json()["state"] == "error")
                #expect(
                    try response.json()["error"]
                        == ["kind": "exception", "type": "ValueError", "message": "a \"b\"\n", "traceback": "tb"])
            }
        }
    }

    @Test("logs come as they are, or as they happen")
    func logs() async throws {
        try await withGateway { gateway in
            let job = Job.sample()
            await gateway.service.add(JobOutcome(job: job))
            await gateway.service.setLogs([0x61, 0xFF, 0x0A])
            let text = try await gateway.send("GET", "/v1/jobs/\(job.id)/logs?stream=stdout&tail=5")
            #expect(text.body == [0x61, 0xFF, 0x0A])
            #expect(await gateway.service.lastTail == 5)
            await gateway.service.setEvents(
                [
                    event(job, 1, "log", #"{"type":"log","stream":"stdout","data":"é\n"}"#),
                    event(job, 2, "log", #"{"type":"log","stream":"stderr","data":"err\n"}"#),
                    event(job, 3, "progress", #"{"type":"progress"}"#),
                    event(job, 4, "log", #"{"type":"log","stream":"stdout","data":"end"}"#),
                ], of: job.id)
            let all = try await gateway.send("GET", "/v1/jobs/\(job.id)/logs?follow=true")
            #expect(all.text == "é\nerr\nend")
            #expect(all.header("Transfer-Encoding") == "chunked")
            let one = try await gateway.send("GET", "/v1/jobs/\(job.id)/logs?follow&stream=stdout")
            #expect(one.text == "é\nend")
            #expect(try await gateway.send("GET", "/v1/jobs/\(job.id)/logs?stream=both").status == 400)
        }
    }

    @Test("events come as server-sent events with ids, from where the client was, or as JSON lines")
    func events() async throws {
        try await withGateway { gateway in
            var job = Job.sample()
            await gateway.service.add(JobOutcome(job: job))
            let list = [event(job, 1, "a", #"{"type":"a"}"#), event(job, 2, "b", "{\"type\":\n\"b\"}")]
            await gateway.service.setEvents(list, of: job.id)
            let path = "/v1/jobs/\(job.id)/events"
            let stream = try await gateway.send("GET", path)
            #expect(stream.header("Content-Type") == "text/event-stream")
            #expect(
                stream.text
                    == "retry: 2000\n\nid: 1\ndata: {\"type\":\"a\"}\n\nid: 2\ndata: {\"type\":\ndata: \"b\"}\n\n")
            let later = try await gateway.send("GET", path, headers: [("Last-Event-ID", "1")])
            #expect(later.text.hasPrefix("retry: 2000\n\nid: 2\n"))
            let lines = try await gateway.send("GET", path, headers: [("Accept", "application/x-ndjson")])
            #expect(lines.text.hasPrefix("{\"type\":\"a\"}\n"))
            #expect(try await gateway.send("GET", path, headers: [("Last-Event-ID", "x")]).status == 400)
            job.state = .completed
            await gateway.service.add(JobOutcome(job: job))
            #expect(try await gateway.send("GET", path, headers: [("Last-Event-ID", "2")]).status == 204)
            #expect(try await gateway.send("GET", path, headers: [("Last-Event-ID", "1")]).text.contains("id: 2\n"))
        }
    }

    @Test("the events of all jobs come with their places, and with results where they are asked for")
    func tenantEvents() async throws {
        try await withGateway { gateway in
            var job = Job.sample()
            job.state = .completed
            let event = event(job, 2, "job_update", "{\"type\":\"job_update\",\n\"status\":\"completed\"}")
            let result = JobResult(media: .json, bytes: Array("[1]".utf8), exitCode: nil)
            await gateway.service.setTenantEvents([
                TenantEvent(streamID: "e-6", event: nil, outcome: nil),
                TenantEvent(streamID: "e-7", event: event, outcome: JobOutcome(job: job, result: result)),
            ])
            let path = "/v1/events?label=team:a,kind:b&type=job_update&results=true"
            let headers = [("Accept", "application/x-ndjson"), ("Last-Event-ID", "e-5")]
            let lines = try await gateway.send("GET", path, headers: headers).text.split(
                separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count == 4)
            #expect(lines[0] == "")
            #expect(lines[1] == #"{"type":"gap","stream_id":"e-6"}"#)
            let told = try JSONValue(parsing: Array(lines[2].utf8))
            #expect(told["stream_id"] == "e-7")
            #expect(told["status"] == "completed")
            #expect(told["job"]?["id"]?.text == job.id.description)
            #expect(told["result"]?["value"] == [1])
            let query = await gateway.service.tenantQueries.last
            #expect(query?.labels == ["team": "a", "kind": "b"])
            #expect(query?.types == ["job_update"])
            #expect(query?.after == "e-5")
            #expect(query?.includesResults == true)
            let stream = try await gateway.send("GET", "/v1/events").text
            #expect(stream.hasPrefix("retry: 2000\n\nid: e-6\ndata: {"))
            #expect(try await gateway.send("GET", "/v1/events?label=x").status == 400)
            #expect(try await gateway.send("GET", "/v1/events?since=1").status == 400)
        }
    }

    @Test("an open event stream ends when the service shuts down")
    func shutdown() async throws {
        let job = Job.sample()
        let (streams, continuation) = AsyncStream<Task<HTTPConnection.Response, any Error>>.makeStream()
        try await withGateway { gateway in
            await gateway.service.add(JobOutcome(job: job))
            await gateway.service.setEvents([event(job, 1, "a", "{}")], of: job.id, staysOpen: true)
            continuation.yield(Task { try await gateway.send("GET", "/v1/jobs/\(job.id)/events") })
            // The stream must be under way before the service ends.
            while await gateway.service.eventReads == 0 { await Task.yield() }
        }
        var iterator = streams.makeAsyncIterator()
        let response = try #require(await iterator.next())
        #expect(try await response.value.text.hasPrefix("retry: 2000\n\n"))
    }

    @Test("pools are those of the caller; metrics are text")
    func status() async throws {
        let pool = try JSONDecoder().decode(
            PoolStatus.self,
            from: Data(
                #"""
                {"runtime":"docker","image":"slipway/python:3.11","network":"none","cpus":1,"memoryBytes":536870912,
                 "slots":4,"warm":1,"busy":2,"running":5,"stem":3,"paused":2,"starting":4,"destroying":5,"waiting":6,"max":7,
                 "minIdle":2,"preloadErrors":[],
                 "hits":{"warm":8,"respecialised":9,"stem":10,"cold":11,"resumed":2},
                 "waits":{"counts":[2,1,0,0,0,0,0,0,1,0,0,0,0,0,0,0],"sumSeconds":1.0,"longestSeconds":0.9},
                 "destroyed":{"idle":1}}
                """#.utf8))
        try await withGateway { gateway in
            await gateway.service.setPools([pool])
            let pools = try await gateway.send("GET", "/v1/pools")
            #expect(await gateway.service.poolTenant == .default)
            guard case .array(let list)? = try pools.json()["pools"], let first = list.first else {
                Issue.record("there are no pools")
                return
            }
            #expect(first["warm"] == 1 && first["busy"] == 2 && first["stem"] == 3 && first["max"] == 7)
            #expect(first["slots"] == 4 && first["running"] == 5 && first["paused"] == 2)
            #expect(first["grants"] == ["warm": 8, "respecialised": 9, "stem": 10, "cold": 11, "resumed": 2])
            #expect(first["wait"]?["p50"] == .number(0.001) && first["wait"]?["max"] == .number(0.9))
            #expect(first["destroyed"] == ["idle": 1])
            #expect(first["last_error"] == JSONValue.null)
            #expect(try await gateway.send("GET", "/v1/pools?all=false").status == 200)
            #expect(await gateway.service.poolTenant == .default)
            #expect(try await gateway.send("GET", "/v1/pools?all=true").status == 200)
            #expect(await gateway.service.poolTenant == nil)
            #expect(try await gateway.send("GET", "/v1/pools?all=maybe").status == 400)
            #expect(try await gateway.send("GET", "/v1/pools?tenant=acme").status == 400)
            #expect(try await gateway.send("GET", "/metrics").text == "slipway_jobs_total 3\n")
            #expect(try await gateway.send("GET", "/readyz").status == 200)
            await gateway.service.fail(
                EngineError(.containerEngineUnavailable, "The container engine does not answer."))
            let down = try await gateway.send("GET", "/readyz", key: .some(nil))
            #expect(down.status == 503)
            #expect(try down.json()["status"] == "not-ready")
        }
    }
}
