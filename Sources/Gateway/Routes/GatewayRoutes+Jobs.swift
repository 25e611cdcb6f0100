import HTTPTypes
import Hummingbird
import SlipwayCore

extension GatewayRoutes {
    /// Shows a job, at once or when it has ended: `GET /v1/jobs/{id}`.
    @Sendable func show(_ call: Call) async throws -> Response {
        try call.allowQuery("wait")
        let id = try call.jobID()
        let tenant = call.principal.tenant
        let wait = try Preferences.wait(
            query: call.target.query["wait"], headers: call.headers, maximum: options.waitMax)
        var headers = HTTPFields()
        let body: [UInt8]
        let room = ResultRoom(self, call)
        if let wait {
            let outcome = try await room.fit(try await ending(of: id, tenant: tenant, upTo: wait, room))
            body = try await offLoop(ifLarge: outcome.resultBytes) { JobEncoder.bytes(outcome.job, result: outcome) }
            if call.target.query["wait"] == nil {
                headers[.preferenceApplied] = "wait=\(wait.components.seconds)"
            }
        } else {
            body = JobEncoder.bytes(try await service.job(id, tenant: tenant))
        }
        let tag = try await offLoop(ifLarge: body.count) { EntityTag.of(body) }
        headers[.eTag] = tag
        guard !EntityTag.isMatch(tag, call.headers[values: .ifNoneMatch]) else {
            return Response(status: .notModified, headers: headers)
        }
        return .json(body, headers: headers, room: room)
    }

    /// Waits for the end of a job; what is stored damaged of its result is left out, for the state was asked for.
    func ending(
        of id: JobID, tenant: TenantID, upTo limit: Duration, _ room: ResultRoom
    ) async throws -> JobOutcome {
        do {
            return try await service.wait(for: id, tenant: tenant, upTo: limit, for: room.caller)
        } catch let error as EngineError where error.code == .artifactCorrupt {
            room.release()
            return JobOutcome(job: try await service.job(id, tenant: tenant), result: nil)
        }
    }

    /// Lists the tenant's jobs, newest first: `GET /v1/jobs`.
    @Sendable func list(_ call: Call) async throws -> Response {
        try call.allowQuery("state", "label", "name", "limit", "cursor")
        var query = JobQuery()
        query.limit = try call.integer("limit", in: 1...500) ?? query.limit
        query.name = call.target.query["name"]
        query.cursor = call.target.query["cursor"]
        for word in (call.target.query["state"] ?? "").split(separator: ",") {
            guard let state = JobState(rawValue: String(word)) else {
                let known = JobState.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem.badRequest("The query parameter 'state' must list some of \(known).")
            }
            query.states.insert(state)
        }
        query.labels = try call.labels()
        let page = try await service.jobs(query, tenant: call.principal.tenant)
        var writer = JSONWriter(capacity: page.jobs.count * 640 + 64)
        writer.object { writer in
            writer.name("jobs")
            writer.array { writer in
                for job in page.jobs { JobEncoder.write(job, to: &writer) }
            }
            writer.name("next_cursor")
            writer.value(page.nextCursor)
        }
        return .json(writer.bytes)
    }

    /// Asks for the end of a job: `POST /v1/jobs/{id}/cancel`; with `only=queued` not of one that has started.
    @Sendable func cancel(_ call: Call) async throws -> Response {
        try call.allowQuery("only")
        let (id, tenant) = (try call.jobID(), call.principal.tenant)
        let (job, already): (Job, Bool)
        switch call.target.query["only"] {
        case nil: (job, already) = try await service.cancel(id, tenant: tenant)
        case JobState.queued.rawValue?:
            do {
                (job, already) = try await service.cancelIfQueued(id, tenant: tenant)
            } catch let error as EngineError where error.code == .alreadyStarted {
                var problem = Problem(error)
                problem.jobState = try await service.job(id, tenant: tenant).state
                throw problem
            }
        default: throw Problem.badRequest("The query parameter 'only' must be queued.")
        }
        return .json(JobEncoder.bytes(job), status: already ? .ok : .accepted)
    }

    /// Removes a job that has ended: `DELETE /v1/jobs/{id}`.
    @Sendable func delete(_ call: Call) async throws -> Response {
        try call.allowQuery()
        try await service.delete(try call.jobID(), tenant: call.principal.tenant)
        return Response(status: .noContent)
    }

    /// Hands out a result, as JSON or as its bytes: `GET /v1/jobs/{id}/result`.
    @Sendable func result(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let room = ResultRoom(self, call)
        let outcome = try await service.result(
            of: try call.jobID(), tenant: call.principal.tenant, for: room.caller)
        guard Preferences.accepts("application/octet-stream", call.headers), let result = outcome.result else {
            let body = try await offLoop(ifLarge: outcome.resultBytes) { ResultEncoder.bytes(outcome) }
            return .json(body, room: room)
        }
        return .paced(result.bytes, headers: [.contentType: result.media.rawValue], room: room)
    }
}

/// Entity tags of answers.
enum EntityTag {
    /// A tag that changes with the bytes (FNV-1a).
    static func of(_ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        return "\"\(String(hash, radix: 16))\""
    }

    static func isMatch(_ tag: String, _ values: [String]) -> Bool {
        values.contains { value in
            value.split(separator: ",").map(trimmed).contains { $0 == "*" || $0 == tag || $0 == "W/\(tag)" }
        }
    }
}
