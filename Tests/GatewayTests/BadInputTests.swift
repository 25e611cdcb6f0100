import SlipwayCore
import SlipwayGateway
import Testing

@Suite("Bad input over REST")
struct BadInputTests {
    private let task = #""task":{"type":"source","code":"x"}"#

    @Test("all faults of a body come at once, with pointers")
    func faults() async throws {
        try await withGateway { gateway in
            let body = """
                {"task":{"type":"source","entrypoint":"a-b"},"priority":101,"env":{"LD_PRELOAD":"x","A=B":"y","C":1},
                 "timeout":"0s","requirements":["-r x","ok"],"unknown":1,"retry":{"max_attempts":0},"ports":["a"],
                 "resources":{"memory":"1x","cpus":"many"},"labels":{"a/b":"v","-":"v"},"replicas":2}
                """
            let response = try await gateway.send("POST", "/v1/jobs", body: body)
            #expect(response.status == 422)
            #expect(response.header("Content-Type") == "application/problem+json")
            let problem = try response.json()
            #expect(problem["type"] == "/problems/invalid-request")
            #expect(problem["status"] == 422)
            #expect(problem["instance"] == "/v1/jobs")
            #expect(problem["detail"] == "The request has 15 faults.")
            #expect(problem["request_id"]?.text == response.header("X-Request-Id"))
            guard case .array(let errors)? = problem["errors"] else {
                Issue.record("there are no errors")
                return
            }
            let pointers = Set(errors.compactMap { $0["pointer"]?.text })
            #expect(
                pointers == [
                    "/task/code", "/task/entrypoint", "/priority", "/env/LD_PRELOAD", "/env/A=B", "/env/C", "/timeout",
                    "/requirements/0", "/unknown", "/retry/max_attempts", "/ports", "/replicas", "/resources/memory",
                    "/resources/cpus", "/labels/-",
                ])
        }
    }

    /// Bodies with faults of shape beside others, and where they are.
    private static let mixtures: [(body: String, pointers: Set<String>)] = [
        (#"{"task":{"type":"nope"},"retry":{"max_attempts":-1},"x":1}"#, ["/task/type", "/retry/max_attempts", "/x"]),
        (#"{"retry":{"max_attempts":-1}}"#, ["/task", "/retry/max_attempts"]),
        (
            #"{"task":{"type":"callable","python":"abc"},"priority":1000}"#,
            ["/task/data", "/task/python", "/priority"]
        ),
        (#"{"task":{"type":"callable","data":"!","x":1},"timeout":0}"#, ["/task/data", "/task/x", "/timeout"]),
        (
            #"{"task":{"type":"callable","data":7,"python":"3"},"timeout":0}"#,
            ["/task/data", "/task/python", "/timeout"]
        ),
        (#"{"task":{"type":"handler"},"timeout":0}"#, ["/task/name", "/timeout"]),
        (
            #"{"task":{"type":"source","code":""},"requirements":[5,"ok","-r x",6,"-e y"]}"#,
            ["/task/code", "/requirements/0", "/requirements/2", "/requirements/3", "/requirements/4"]
        ),
        (
            #"{"task":{"type":"source","code":"x"},"mounts":[{"source":"/a"},{"source":"/etc","target":"/data"}]}"#,
            ["/mounts/0/target", "/mounts/1/source"]
        ),
        (#"{"task":7,"labels":{"-":"v"},"resources":{"pids":1}}"#, ["/task", "/labels/-", "/resources/pids"]),
    ]

    @Test("faults of shape hide no others, in one job and in a batch", arguments: mixtures)
    func mixed(_ body: String, _ pointers: Set<String>) async throws {
        try await withGateway { gateway in
            let alone = try await gateway.send("POST", "/v1/jobs", body: body)
            #expect(alone.status == 422)
            #expect(try pointersOfFaults(in: alone) == pointers.sorted())
            let batch = try await gateway.send("POST", "/v1/jobs/batch", body: #"{"jobs":[{\#(task)},\#(body)]}"#)
            #expect(batch.status == 422)
            #expect(try pointersOfFaults(in: batch) == pointers.map { "/jobs/1\($0)" }.sorted())
        }
    }

    @Test("a batch's faults of shape hide no faults of its other jobs")
    func mixedBatch() async throws {
        try await withGateway { gateway in
            let body = #"{"jobs":[{\#(task),"priority":101},{\#(task),"x":1},{\#(task)},{\#(task),"timeout":0}],"y":1}"#
            let response = try await gateway.send("POST", "/v1/jobs/batch", body: body)
            #expect(try pointersOfFaults(in: response) == ["/jobs/0/priority", "/jobs/1/x", "/jobs/3/timeout", "/y"])
        }
    }

    private func pointersOfFaults(in response: HTTPConnection.Response) throws -> [String] {
        guard case .array(let errors)? = try response.json()["errors"] else { return [] }
        return errors.compactMap { $0["pointer"]?.text }.sorted()
    }

    @Test(
        "one kind of fault names the problem",
        arguments: [
            (#""timeout":"48h""#, "limit-exceeded"), (#""resources":{"gpus":{"count":1}}"#, "limit-exceeded"),
            (#""env":{"PYTHONSTARTUP":"/x"}"#, "not-allowed"), (#""network":"host""#, "not-allowed"),
            (#""mounts":[{"source":"/etc","target":"/data"}]"#, "not-allowed"),
            (#""webhook":{"url":"https://example.org"}"#, "not-supported"), (#""secrets":["X"]"#, "invalid-request"),
        ])
    func kinds(_ member: String, _ slug: String) async throws {
        try await withGateway { gateway in
            let response = try await gateway.send("POST", "/v1/jobs", body: "{\(task),\(member)}")
            #expect(response.status == 422)
            #expect(try response.json()["type"] == .string("/problems/\(slug)"), "\(response.text)")
        }
    }

    @Test(
        "JSON that cannot be read is 400 with the offset",
        arguments: [
            ("", "empty-body", 0), ("{", "truncated-json", 1), ("{} x", "trailing-data", 3),
            (#"{"a":1,"a":2}"#, "duplicate-key", 7), ("[01]", "invalid-json", 2),
        ])
    func unreadable(_ body: String, _ slug: String, _ offset: Int) async throws {
        try await withGateway { gateway in
            let response = try await gateway.send("POST", "/v1/jobs", body: body)
            #expect(response.status == 400)
            #expect(try response.json()["type"] == .string("/problems/\(slug)"))
            #expect(try response.json()["offset"] == .integer(Int64(offset)))
        }
    }

    @Test("invalid UTF-8 and deep nesting are 400 with the offset, a root that is no object is 422")
    func shapes() async throws {
        try await withGateway { gateway in
            let deepest = String(repeating: "[", count: 32) + String(repeating: "]", count: 32)
            let bodies: [(body: [UInt8], slug: String, offset: Int)] = [
                ([0x22, 0xFF, 0x22], "invalid-utf8", 1), (Array(#"{"a":"b"#.utf8) + [0xC3, 0x28], "invalid-utf8", 7),
                (Array("[\(deepest)]".utf8), "too-deep", 32),
            ]
            for (body, slug, offset) in bodies {
                let bytes = gateway.request("POST", "/v1/jobs", body: body)
                let response = try await HTTPConnection(port: gateway.port).exchange(bytes)
                #expect(response.status == 400)
                #expect(response.header("Content-Type") == "application/problem+json")
                let problem = try response.json()
                #expect(problem["type"] == .string("/problems/\(slug)"), "\(response.text)")
                #expect(problem["offset"] == .integer(Int64(offset)), "\(response.text)")
                #expect(problem["detail"]?.text?.hasSuffix("(at byte \(offset)).") == true, "\(response.text)")
            }
            #expect(try await gateway.send("POST", "/v1/jobs", body: deepest).status == 422)
            #expect(try await gateway.send("POST", "/v1/jobs", body: "[]").status == 422)
        }
    }

    @Test("only plain JSON is taken")
    func mediaTypes() async throws {
        try await withGateway { gateway in
            for type in ["text/plain", "application/json; charset=latin-1", "application/jsonx", ""] {
                let response = try await gateway.send(
                    "POST", "/v1/jobs", headers: [("Content-Type", type)], body: "{\(task)}")
                #expect(response.status == 415, "\(type)")
            }
            let zipped = try await gateway.send(
                "POST", "/v1/jobs", headers: [("Content-Encoding", "gzip")], body: "{\(task)}")
            #expect(zipped.status == 415)
            let plain = try await gateway.send(
                "POST", "/v1/jobs", headers: [("Content-Type", "Application/JSON; Charset=UTF-8")], body: "{\(task)}")
            #expect(plain.status == 202)
        }
    }

    @Test("a body above the cap is refused at the cap, before it has come")
    func tooLarge() async throws {
        var options = GatewayOptions()
        options.jsonBodyMaxBytes = 1000
        options.payloadMaxBytes = 2000
        try await withGateway(options: options) { gateway in
            let announced = Array(
                "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(gateway.key)\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
                    .utf8)
            let connection = try HTTPConnection(port: gateway.port)
            let refused = try await connection.exchange(announced)
            #expect(refused.status == 413)
            #expect(refused.header("Connection") == "close")
            #expect(try await connection.isClosed())

            let head =
                "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(gateway.key)\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            let chunk = "800\r\n" + String(repeating: " ", count: 0x800) + "\r\n"
            let chunked = try await HTTPConnection(port: gateway.port).exchange(Array((head + chunk + chunk).utf8))
            #expect(chunked.status == 413)

            let padding = String(repeating: "x", count: 1100)
            let besides = try await gateway.send("POST", "/v1/jobs", body: #"{\#(task),"name":"\#(padding)"}"#)
            #expect(besides.status == 413)
            let within = try await gateway.send(
                "POST", "/v1/jobs", body: #"{"task":{"type":"source","code":"\#(padding)"}}"#)
            #expect(within.status == 202)
        }
    }

    @Test(
        "paths that can be read in two ways are refused",
        arguments: [
            "/v1/../healthz", "/v1/%2e%2e/healthz", "/v1/jobs%2fx", "/v1/jobs/%00", "/v1/./jobs", "/v1/jobs/%5cx",
            "/v1/jobs/%zz", "/v1/jobs/%0a", "/v1/jobs?limit=1&limit=2", "/v1/jobs?key=slw_x", "/v1/jobs?token=x",
            "/v1/jobs?nope=1", "/v1/jobs?limit=0", "/v1/jobs?limit=501", "/v1/jobs?state=done", "/v1/jobs?label=x",
        ])
    func paths(_ path: String) async throws {
        try await withGateway { gateway in
            let response = try await gateway.send("GET", path)
            #expect(response.status == 400, "\(response.text)")
            #expect(response.header("Content-Type") == "application/problem+json")
        }
    }

    @Test("a long request line is 414; other methods are 405 with those allowed")
    func methods() async throws {
        try await withGateway { gateway in
            let long = try await gateway.send("GET", "/v1/jobs?cursor=" + String(repeating: "x", count: 9000))
            #expect(long.status == 414)
            let put = try await gateway.send("PUT", "/v1/jobs", body: "{}")
            #expect(put.status == 405)
            #expect(put.header("Allow") == "GET, HEAD, POST")
            #expect(try await gateway.send("POST", "/healthz").header("Allow") == "GET, HEAD")
            let head = try await gateway.send("HEAD", "/healthz")
            #expect(head.status == 200)
            #expect(head.header("Content-Length") == "15")
        }
    }

    @Test(
        "errors of the engine become their statuses; faults of the service say nothing of their cause",
        arguments: [
            (EngineError.Code.keyReused, 422, false), (.imageNotFound, 422, false), (.dependency, 422, false),
            (.keyInFlight, 409, true), (.queueFull, 429, true),
            (.unavailable, 503, true), (.draining, 503, true), (.storageFull, 507, false), (.storage, 500, false),
            (.internalFault, 500, false), (.payloadTooLarge, 413, false),
        ])
    func engineErrors(_ code: EngineError.Code, _ status: Int, _ retries: Bool) async throws {
        try await withGateway { gateway in
            await gateway.service.fail(EngineError(code, "secret detail at /var/lib/x"))
            let response = try await gateway.send("POST", "/v1/jobs", body: "{\(task)}")
            #expect(response.status == status)
            #expect((response.header("Retry-After") != nil) == retries)
            if status >= 500 { #expect(!response.text.contains("/var/lib")) }
        }
    }

    @Test(
        "a fault of the service is told by the id under which the log has it, and by nothing else",
        arguments: [
            EngineError.Code.storage, .configuration, .containerEngineError, .startFailed, .protocolViolation, .lost,
            .timeout, .cancelled, .internalFault,
        ])
    func internalFault(_ code: EngineError.Code) async throws {
        try await withGateway { gateway in
            let fault = EngineError.Fault(pointer: "/secret", code: "secret", detail: "secret detail")
            await gateway.service.fail(EngineError(code, "secret detail at /var/lib/x", faults: [fault]))
            let response = try await gateway.send("POST", "/v1/jobs", body: "{\(task)}")
            #expect(response.status == 500)
            #expect(response.header("Content-Type") == "application/problem+json")
            let request = try #require(response.header("X-Request-Id"))
            let problem: JSONValue = [
                "type": "/problems/internal", "title": "Internal Server Error", "status": 500,
                "detail": "Something failed here. The log has the reason under the request id.",
                "instance": "/v1/jobs", "request_id": .string(request),
            ]
            #expect(try response.json() == problem, "\(response.text)")
        }
    }
}
