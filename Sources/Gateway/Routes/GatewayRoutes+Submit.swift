import HTTPTypes
import Hummingbird
import SlipwayCore

extension GatewayRoutes {
    /// Bodies above this size are parsed away from the event loop, and results above it encoded there.
    private static let largeBytes = 256 << 10

    /// Submits a job: `POST /v1/jobs`.
    @Sendable func submit(_ call: Call) async throws -> Response {
        try call.allowQuery("wait")
        let wait = try Preferences.wait(
            query: call.target.query["wait"], headers: call.headers, maximum: options.waitMax)
        let (body, share) = try await body(of: call)
        let key = try IdempotencyHeader.key(
            call.headers, method: "POST", path: "/v1/jobs", body: body)
        let request = try await offLoop(ifLarge: body.count) { try decodeJob(body) }
        let tenant = call.principal.tenant
        let room = ResultRoom(self, call)
        let headers: HTTPFields
        do {
            headers = try rates.take(1, of: tenant)
        } catch {
            // A request that is repeated costs nothing again.
            guard let key, let id = try await service.replayed(key, tenant: tenant).first else { throw error }
            share?.release()
            let earlier = try await ending(of: id, tenant: tenant, upTo: wait ?? .zero, room)
            return try await answer(earlier, call, waited: wait, headers: [:], room)
        }
        guard let wait else {
            let job = try await service.submit(request, tenant: tenant, idempotency: key)
            share?.release()
            return accepted(job, headers: headers)
        }
        let outcome: JobOutcome
        if let share {
            // Room for bodies is not held through the wait, and neither is the body.
            let id = try await service.submit(request, tenant: tenant, idempotency: key).id
            share.release()
            outcome = try await ending(of: id, tenant: tenant, upTo: wait, room)
        } else {
            do {
                outcome = try await service.submit(
                    request, tenant: tenant, idempotency: key, waitingUpTo: wait, for: room.caller)
            } catch let error as EngineError where error.code == .artifactCorrupt {
                // The request is repeated, and what its job left is damaged meanwhile.
                guard let key, let id = try await service.replayed(key, tenant: tenant).first else { throw error }
                outcome = try await ending(of: id, tenant: tenant, upTo: wait, room)
            }
        }
        return try await answer(outcome, call, waited: wait, headers: headers, room)
    }

    /// Answers with a job: with its result where it has ended and somebody waited for that.
    private func answer(
        _ outcome: JobOutcome, _ call: Call, waited wait: Duration?, headers: HTTPFields, _ room: ResultRoom
    ) async throws -> Response {
        guard let wait else { return accepted(outcome.job, headers: headers) }
        var headers = headers
        if call.target.query["wait"] == nil {
            headers[.preferenceApplied] = "wait=\(wait.components.seconds)"
        }
        guard outcome.job.state.isTerminal else { return accepted(outcome.job, headers: headers) }
        headers[.location] = "/v1/jobs/\(outcome.job.id)"
        let fitting = try await room.fit(outcome)
        let answer = try await offLoop(ifLarge: fitting.resultBytes) {
            JobEncoder.bytes(fitting.job, result: fitting)
        }
        return .json(answer, headers: headers, room: room)
    }

    /// Submits many jobs, all or none: `POST /v1/jobs/batch`.
    @Sendable func submitBatch(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let (body, share) = try await body(of: call)
        let key = try IdempotencyHeader.key(
            call.headers, method: "POST", path: "/v1/jobs/batch", body: body)
        let requests = try await offLoop(ifLarge: body.count) { try decodeBatch(body) }
        let tenant = call.principal.tenant
        var headers = HTTPFields()
        var jobs: [Job] = []
        do {
            headers = try rates.take(requests.count, of: tenant)
        } catch {
            guard let key else { throw error }
            for id in try await service.replayed(key, tenant: tenant) {
                jobs.append(try await service.job(id, tenant: tenant))
            }
            guard !jobs.isEmpty else { throw error }
        }
        if jobs.isEmpty { jobs = try await service.submit(batch: requests, tenant: tenant, idempotency: key) }
        share?.release()
        var writer = JSONWriter(capacity: jobs.count * 640 + 16)
        writer.object { writer in
            writer.name("jobs")
            writer.array { writer in
                for job in jobs { JobEncoder.write(job, to: &writer) }
            }
        }
        return .json(writer.bytes, status: .accepted, headers: headers)
    }

    /// Reads the body of a request, once there is room for it, which stays taken as long as the share is held.
    ///
    /// A body that has room and comes too slowly on average is 408.
    ///
    /// - Parameter limitBytes: The largest body; nil for one with a task.
    func body(of call: Call, limitBytes: Int? = nil) async throws -> ([UInt8], ByteBudget.Share?) {
        var share: ByteBudget.Share?
        let body = try await call.request.jsonBody(limitBytes: limitBytes ?? options.bodyMaxBytes) { bytes in
            share = await bodies.take(
                bytes, tenant: call.principal.tenant, upTo: options.roomTimeout, on: call.channel.eventLoop,
                departure: call.departure)
            guard share == nil else {
                return RateWatch(options.leastRate, on: call.channel.eventLoop) { [channel = call.channel] in
                    channel.pipeline.fireUserInboundEventTriggered(BodyTooSlow())
                }
            }
            var problem = Problem.noRoom("bodies", setting: "gateway.bodies_in_flight_max")
            problem.closesConnection = true
            throw problem
        }
        return (body, share)
    }

    private func accepted(_ job: Job, headers: HTTPFields) -> Response {
        var headers = headers
        headers[.location] = "/v1/jobs/\(job.id)"
        return .json(JobEncoder.bytes(job), status: .accepted, headers: headers)
    }

    private func decodeJob(_ body: [UInt8]) throws -> JobRequest {
        let root = try parse(body)
        try limitBesidesTasks(body, [root["task"]])
        let faults = FaultList()
        let request = JobRequestDecoder.decode(root, faults: faults)
        guard let request, faults.faults.isEmpty else {
            var left = PayloadCodec.refusedLimitBytes
            addFaults(of: request, to: faults, prefix: "", leftBytes: &left)
            throw EngineError.invalid(faults.faults)
        }
        return request
    }

    private func decodeBatch(_ body: [UInt8]) throws -> [JobRequest] {
        let root = try parse(body)
        let faults = FaultList()
        for member in root.members where member.name != "jobs" {
            faults.add(FaultList.pointer("", member.name), "unknown-field", "There is no such field")
        }
        guard let jobs = root["jobs"], jobs.kind == .array else {
            faults.add("/jobs", root["jobs"] == nil ? "missing" : "wrong-type", "An array of jobs is needed")
            throw EngineError.invalid(faults.faults)
        }
        let nodes = Array(jobs.elements)
        guard (1...options.batchMax).contains(nodes.count) else {
            faults.add("/jobs", "out-of-range", "A batch has 1 to \(options.batchMax) jobs")
            throw EngineError.invalid(faults.faults)
        }
        try limitBesidesTasks(body, nodes.map { $0["task"] })
        let lists = nodes.indices.map { FaultList(prefix: "/jobs/\($0)") }
        let requests = zip(nodes, lists).map { JobRequestDecoder.decode($0, faults: $1) }
        let whole = requests.compactMap { $0 }
        if faults.faults.isEmpty, whole.count == nodes.count, lists.allSatisfy(\.faults.isEmpty) { return whole }
        var found = faults.faults
        var left = PayloadCodec.refusedLimitBytes
        for (place, list) in lists.enumerated() where found.count < FaultList.limit {
            addFaults(of: requests[place], to: list, prefix: "/jobs/\(place)", leftBytes: &left)
            found += list.faults
        }
        throw EngineError.invalid(Array(found.prefix(FaultList.limit)))
    }

    /// Parses a body that must be an object.
    func parse(_ body: [UInt8]) throws(Problem) -> JSONNode {
        let root: JSONNode
        do throws(JSONParseError) {
            root = try JSONDocument(parsing: body, limits: .init(depth: options.jsonDepthMax)).root
        } catch {
            throw Problem(error)
        }
        guard root.kind == .object else {
            let detail = "The body must be an object, not \(root.kind.name)"
            throw Problem(
                .unprocessableContent, EngineError.Code.invalidRequest.rawValue, detail + ".",
                errors: [.init(pointer: "", code: "wrong-type", detail: detail)])
        }
        return root
    }

    /// What is not a task's own must fit the limit for JSON; tasks have the limit of payloads.
    private func limitBesidesTasks(_ body: [UInt8], _ tasks: [JSONNode?]) throws(Problem) {
        let ranges = tasks.compactMap { $0?.range.count }
        guard body.count - ranges.reduce(0, +) <= options.jsonBodyMaxBytes else {
            throw Problem(
                .contentTooLarge, "body-too-large",
                "The body has more than \(options.jsonBodyMaxBytes) bytes beside its tasks, which is the limit.")
        }
        guard ranges.allSatisfy({ $0 <= options.payloadMaxBytes + 1024 }) else {
            throw Problem(
                .contentTooLarge, EngineError.Code.payloadTooLarge.rawValue,
                "A task has more than \(options.payloadMaxBytes) bytes, which is the limit.")
        }
    }

    /// With faults of shape, the faults of meaning are added, so that the caller sees all at once.
    private func addFaults(
        of request: JobRequest?, to faults: FaultList, prefix: String, leftBytes: inout Int
    ) {
        guard let request else { return }
        let payload = PayloadCodec.faults(in: request.task, prefix: prefix, leftBytes: &leftBytes)
        faults.add(found: JobRequestValidator.validate(request, limits: limits, prefix: prefix) + payload)
    }

    /// Does work on so many bytes, away from the event loop if they are many.
    func offLoop<T: Sendable>(
        ifLarge bytes: Int, _ work: @Sendable () throws -> T
    ) async throws -> T {
        guard bytes > Self.largeBytes else { return try work() }
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { try work() }
    }
}
