import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// The built server over REST: what it does with requests, good and bad.
    @Suite("REST on a running server", .serialized, .servers)
    struct RestTests {
        private static let task =
            #""task":{"type":"source","code":"def main(x=1):\n    print('out')\n    return x * 2"}"#

        private func server() async throws -> RunningServer { try await sharedServer() }

        @Test("a job goes in and comes out, at once and step by step")
        func roundTrip() async throws {
            let client = try await server().client
            let inline = try await client.send(
                "POST", "/v1/jobs", headers: [("Prefer", "wait=30")], body: "{\(Self.task)}")
            #expect(inline.status == 200, "\(inline.text)")
            let job = try JSONValue(parsing: inline.body)
            #expect(job["state"] == "completed")
            #expect(job["result"]?["value"] == 2)
            let id = try #require(job["id"]?.text)
            let later = try await client.send("POST", "/v1/jobs", body: "{\(Self.task)}")
            #expect(later.status == 202)
            let location = try #require(later.header("Location"))
            let waited = try JSONValue(parsing: try await client.send("GET", location + "?wait=30").body)
            #expect(waited["state"] == "completed")
            #expect(waited["timings"]?["total"] != nil)
            let result = try await client.send(
                "GET", "/v1/jobs/\(id)/result", headers: [("Accept", "application/octet-stream")])
            #expect(result.text == "2")
            #expect(try await client.send("GET", "/v1/jobs/\(id)/logs").text == "out\n")
            let events = try await client.send("GET", "/v1/jobs/\(id)/events")
            #expect(events.header("Content-Type")?.hasPrefix("text/event-stream") == true)
            #expect(events.text.contains("\"status\":\"completed\""))
            let lines = try await client.send(
                "GET", "/v1/jobs/\(id)/events", headers: [("Accept", "application/x-ndjson")])
            let words = try lines.text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8))["seq"] }
            #expect(words == (1...words.count).map { .integer(Int64($0)) })
            let shown = try await client.send("GET", "/v1/jobs/\(id)")
            let tag = try #require(shown.header("ETag"))
            #expect(try await client.send("GET", "/v1/jobs/\(id)", headers: [("If-None-Match", tag)]).status == 304)
            #expect(try await client.send("POST", "/v1/jobs/\(id)/cancel").status == 409)
            #expect(try await client.send("DELETE", "/v1/jobs/\(id)").status == 204)
            #expect(try await client.send("GET", "/v1/jobs/\(id)").status == 404)
        }

        @Test("a batch, a command, a cancel and a callable")
        func kinds() async throws {
            let client = try await server().client
            let batch = try await client.send(
                "POST", "/v1/jobs/batch",
                body: "{\"jobs\":[\(Array(repeating: "{\(Self.task)}", count: 20).joined(separator: ","))]}")
            #expect(batch.status == 202, "\(batch.text)")
            guard case .array(let jobs)? = try JSONValue(parsing: batch.body)["jobs"] else {
                throw TestFailure(batch.text)
            }
            #expect(jobs.count == 20)
            for job in jobs {
                let ended = try await client.send("GET", "/v1/jobs/\(job["id"]?.text ?? "")?wait=30")
                #expect(try JSONValue(parsing: ended.body)["state"] == "completed")
            }
            let command = try await client.send(
                "POST", "/v1/jobs?wait=30",
                body: #"{"task":{"type":"command","argv":["sh","-c","cat; exit 4"],"stdin":"x"}}"#)
            #expect(try JSONValue(parsing: command.body)["exit_code"] == 4, "\(command.text)")
            let sleeper = try await client.send(
                "POST", "/v1/jobs", body: #"{"task":{"type":"command","argv":["sleep","60"]}}"#)
            let id = try #require(try JSONValue(parsing: sleeper.body)["id"]?.text)
            #expect(try await client.send("GET", "/v1/jobs/\(id)/result").status == 409)
            #expect(try await client.send("DELETE", "/v1/jobs/\(id)").status == 409)
            #expect(try await client.send("POST", "/v1/jobs/\(id)/cancel").status == 202)
            let ended = try await client.send("GET", "/v1/jobs/\(id)?wait=30")
            #expect(try JSONValue(parsing: ended.body)["state"] == "cancelled")
            #expect(try await client.send("POST", "/v1/jobs/\(id)/cancel").status == 200)
            let sum = Array("(coperator\nadd\n(I2\nI3\nt(dt.".utf8)
            let packed = String(decoding: try PayloadCodec.pack(sum).text, as: UTF8.self)
            let callable = try await client.send(
                "POST", "/v1/jobs?wait=60", body: #"{"task":{"type":"callable","data":"\#(packed)"}}"#)
            let media = try JSONValue(parsing: callable.body)["result"]?["media_type"]
            #expect(media == "application/vnd.python.pickle", "\(callable.text)")
        }

        @Test("an idempotency key replays its job over REST")
        func idempotency() async throws {
            let client = try await server().client
            let key = [("Idempotency-Key", "k-\(UInt32.random(in: 0 ... .max))")]
            let first = try await client.send("POST", "/v1/jobs", headers: key, body: "{\(Self.task)}")
            let again = try await client.send("POST", "/v1/jobs?wait=30", headers: key, body: "{\(Self.task)}")
            #expect(first.status == 202, "\(first.text)")
            #expect(again.status == 200, "\(again.text)")
            let jobs = try [first, again].map { try JSONValue(parsing: $0.body) }
            #expect(jobs[0]["id"]?.text != nil && jobs[0]["id"] == jobs[1]["id"])
            #expect(jobs[1]["state"] == "completed")
            #expect(jobs[1]["result"]?["value"] == 2)
            let other = try await client.send("POST", "/v1/jobs", headers: key, body: "{\(Self.task),\"priority\":1}")
            #expect(other.status == 422, "\(other.text)")
            #expect(other.text.contains("key-reused"))
        }

        @Test("without a valid key nothing is told, and the refusals do not differ")
        func authentication() async throws {
            var client = try await server().client
            let good = client.key
            client.key = nil
            let none = try await client.send("GET", "/v1/jobs")
            #expect(none.status == 401)
            #expect(none.header("WWW-Authenticate") != nil)
            var bodies: Set<String> = []
            let close = String((good ?? "").dropLast()) + (good?.last == "x" ? "y" : "x")
            for key in ["slw_nonsense", close, "a"] {
                client.key = key
                let response = try await client.send("GET", "/v1/jobs")
                #expect(response.status == 401)
                bodies.insert(response.text.replacing(#/"request_id":"[^"]*"/#, with: ""))
            }
            #expect(bodies.count == 1)
            client.key = good
            let double = try await client.send("GET", "/v1/jobs", headers: [("Authorization", "Bearer x")])
            #expect(double.status == 400)
            #expect(try await client.send("GET", "/v1/jobs?key=\(good ?? "")").status == 400)
            client.key = nil
            #expect(try await client.send("GET", "/healthz").status == 200)
        }

        @Test("jobs that are not there, and ids that are none, get one answer")
        func notFound() async throws {
            let client = try await server().client
            var bodies: Set<String> = []
            for id in ["\(JobID())", "job_1", "x", "job_\(String(repeating: "0", count: 36))"] {
                for (method, suffix) in [
                    ("GET", ""), ("GET", "/result"), ("GET", "/logs"), ("POST", "/cancel"), ("DELETE", ""),
                ] {
                    let response = try await client.send(method, "/v1/jobs/\(id)\(suffix)")
                    #expect(response.status == 404, "\(method) \(id)\(suffix)")
                    bodies.insert(
                        response.text.replacing(#/"request_id":"[^"]*"/#, with: "")
                            .replacing(#/"instance":"[^"]*"/#, with: ""))
                }
            }
            #expect(bodies.count == 1, "\(bodies)")
        }

        /// A request, the status of its answer and words that the answer has.
        struct Refusal: Sendable, CustomTestStringConvertible {
            var method = "POST"
            var path = "/v1/jobs"
            var headers: [(String, String)] = []
            var body: String?
            let status: Int
            var words: [String] = []
            var testDescription: String { "\(method) \(path) \(body?.prefix(60) ?? "") \(status)" }
        }

        static let refusals: [Refusal] = [
            Refusal(method: "PUT", body: "{}", status: 405), Refusal(method: "GET", path: "/v1/nothing", status: 404),
            Refusal(method: "GET", path: "/v1/%2e%2e/healthz", status: 400),
            Refusal(method: "GET", path: "/v1/jobs/a%2fb", status: 400),
            Refusal(headers: [("Content-Type", "text/plain")], body: "{\(task)}", status: 415),
            Refusal(headers: [("Content-Encoding", "gzip")], body: "{\(task)}", status: 415),
            Refusal(body: "", status: 400), Refusal(body: "{", status: 400, words: ["\"offset\":1"]),
            Refusal(body: "{\(task)} x", status: 400, words: ["offset"]),
            Refusal(body: "{\(task),\(task)}", status: 400, words: ["duplicate"]),
            Refusal(body: String(repeating: "[", count: 100_000), status: 400),
            Refusal(body: "[]", status: 422), Refusal(body: "{}", status: 422, words: ["/task"]),
            Refusal(body: "{\(task),\"nope\":1}", status: 422, words: ["/nope"]),
            Refusal(
                body: "{\(task),\"timeout\":-1,\"priority\":\"high\"}", status: 422, words: ["/timeout", "/priority"]),
            Refusal(
                body: #"{\#(task),"env":{"LD_PRELOAD":"x","LD_LIBRARY_PATH":"y","PYTHONSTARTUP":"z","A=B":"w"}}"#,
                status: 422, words: ["/env/LD_PRELOAD", "/env/LD_LIBRARY_PATH", "/env/PYTHONSTARTUP", "/env/A=B"]),
            Refusal(body: #"{\#(task),"env":{"A":"nul\u0000"}}"#, status: 422, words: ["/env/A"]),
            Refusal(body: #"{\#(task),"resources":{"memory":"999t"}}"#, status: 422, words: ["limit-exceeded"]),
            Refusal(body: #"{\#(task),"resources":{"gpus":{"count":1}}}"#, status: 422, words: ["limit-exceeded"]),
            Refusal(
                body: #"{\#(task),"mounts":[{"source":"/etc","target":"/x"}]}"#, status: 422, words: ["not-allowed"]),
            Refusal(body: #"{\#(task),"network":"host"}"#, status: 422, words: ["not-allowed"]),
            Refusal(
                body: #"{\#(task),"requirements":["--index-url=http://x","a b"]}"#, status: 422,
                words: ["/requirements/0"]),
            Refusal(body: #"{\#(task),"secrets":["NONE"]}"#, status: 422, words: ["/secrets/0"]),
            Refusal(body: #"{\#(task),"replicas":2}"#, status: 422, words: ["not-supported"]),
            Refusal(body: #"{"task":{"type":"callable","data":"not base64!"}}"#, status: 422, words: ["/task/data"]),
            Refusal(body: #"{"task":{"type":"callable","data":"AAAA"}}"#, status: 422, words: ["/task/data"]),
            // A stream that ends within its checksum, and one with more behind it.
            Refusal(
                body: #"{"task":{"type":"callable","data":"eJzTSM4vSC1KLMkv4kpMSeHS8DTi8jTmKtFIKdED"}}"#, status: 422,
                words: ["/task/data"]),
            Refusal(
                body: #"{"task":{"type":"callable","data":"eJzTSM4vSC1KLMkv4kpMSeHS8DTi8jTmKtFIKdEDAHrNCAptb3Jl"}}"#,
                status: 422, words: ["/task/data"]),
            Refusal(body: #"{"task":{"type":"handler","name":"nobody"}}"#, status: 422, words: ["/task/name"]),
            Refusal(
                body: #"{"task":{"type":"command","argv":["x"],"files":{"../x":"","/y":"","a/../../b":""}}}"#,
                status: 422,
                words: ["/task/files/..~1x", "/task/files/~1y"]),
            Refusal(headers: [("Idempotency-Key", String(repeating: "x", count: 256))], body: "{\(task)}", status: 400),
            Refusal(method: "GET", path: "/v1/jobs?limit=1&limit=2", status: 400),
        ]

        @Test("bad input is refused by the rule, with a problem document", arguments: refusals)
        func refused(_ refusal: Refusal) async throws {
            let client = try await server().client
            let response = try await client.send(
                refusal.method, refusal.path, headers: refusal.headers, body: refusal.body)
            #expect(response.status == refusal.status, "\(response.text)")
            #expect(response.header("Content-Type") == "application/problem+json")
            #expect(response.header("X-Request-Id") != nil)
            if refusal.status == 405 { #expect(response.header("Allow") != nil) }
            for word in refusal.words { #expect(response.text.contains(word), "\(response.text)") }
        }

        @Test("an image that is not on the operator's list is refused with the field that names it")
        func image() async throws {
            let server = try RunningServer(runtime: "process", yaml: "sandbox:\n  image_allow: [\"team/*\"]\n")
            try await server.start()
            let refused = try await server.client.send(
                "POST", "/v1/jobs", body: "{\(Self.task),\"image\":\"teams/x:1\"}")
            #expect(refused.status == 422, "\(refused.text)")
            let problem = try JSONValue(parsing: refused.body)
            #expect(problem["type"] == "/problems/not-allowed")
            let faults: JSONValue = [
                [
                    "pointer": "/image", "code": "not-allowed",
                    "detail": "The image is not on the list of allowed images",
                ]
            ]
            #expect(problem["errors"] == faults)
            let allowed = try await server.client.send(
                "POST", "/v1/jobs", body: "{\(Self.task),\"image\":\"team/x:1\"}")
            #expect(allowed.status == 202, "\(allowed.text)")
            #expect(try await server.stop() == 0, "\(server.log.suffix(2000))")
        }

        @Test("bombs and floods are refused without their memory being spent")
        func bombs() async throws {
            let server = try await server()
            let client = server.client
            _ = try await client.send("POST", "/v1/jobs?wait=30", body: "{\(Self.task)}")
            let bomb = try await HostPython.run(
                "import base64,zlib; c=zlib.compressobj(9); z=bytes(1<<20);"
                    + "d=b''.join(c.compress(z) for _ in range(1024))+c.flush(); print(base64.b64encode(d).decode())",
                []
            ).trimmingCharacters(in: .whitespacesAndNewlines)
            // What other tests made the server hold must not hide what these make it hold.
            try ProcessList.resetPeak(of: server.pid)
            let before = try #require(ProcessList.peakResidentBytes(of: server.pid))
            let bombed = try await client.send(
                "POST", "/v1/jobs", body: #"{"task":{"type":"callable","data":"\#(bomb)"}}"#)
            #expect(bombed.status == 413, "\(bombed.text.prefix(500))")
            #expect(bombed.text.contains("payload-too-large"))
            let wide = try await client.send(
                "POST", "/v1/jobs", body: "{\"x\":[" + String(repeating: "[],", count: 2_000_000) + "1]}")
            #expect(wide.status == 413, "\(wide.text.prefix(500))")
            let announced = client.request(
                "POST", "/v1/jobs", headers: [("Content-Type", "application/json"), ("Content-Length", "99999999999")])
            #expect(try await client.exchange(announced).status == 413)
            // Small ones in large numbers are accepted, and stay as small as they came.
            let zeros = try PayloadCodec.pack([UInt8](repeating: 0, count: 1 << 20)).text
            let one = #"{"task":{"type":"callable","data":"\#(String(decoding: zeros, as: UTF8.self))"}}"#
            let batch = "{\"jobs\":[" + Array(repeating: one, count: 200).joined(separator: ",") + "]}"
            let batched = try await client.send("POST", "/v1/jobs/batch", body: batch)
            #expect(batched.status == 202, "\(batched.text.prefix(500))")
            let after = try #require(ProcessList.peakResidentBytes(of: server.pid))
            #expect(after - before < 64 << 20, "the server grew from \(before) to \(after) bytes")
        }

        @Test("what is told about the service is true")
        func status() async throws {
            let client = try await server().client
            #expect(try await client.send("GET", "/healthz").status == 200)
            #expect(try await client.send("GET", "/readyz").status == 200)
            let metrics = try await client.send("GET", "/metrics").text
            #expect(metrics.contains("slipway_ready 1"))
            let pools = try await client.send("GET", "/v1/pools")
            #expect(pools.status == 200)
            #expect(pools.text.contains("slipway/python:3.11") || !ContainerEngine.answers)
            let schema = try JSONValue(parsing: try await client.send("GET", "/openapi.json").body)
            #expect(schema["openapi"]?.text?.hasPrefix("3.1") == true)
        }
    }
}
