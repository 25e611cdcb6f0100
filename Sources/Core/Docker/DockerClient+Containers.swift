extension DockerClient {
    /// What came of a create by name.
    package enum CreateOutcome: Sendable, Equatable {
        case created(id: String, warnings: [String])
        /// The name is in use, perhaps by our own earlier try: inspect it.
        case nameTaken
    }

    /// What came of a signal.
    package enum KillOutcome: Sendable, Equatable {
        case signalled
        case notRunning
        case noSuchContainer
    }

    /// `POST /containers/create?name=`: makes a container, which does not run yet.
    ///
    /// - Throws: `EngineError`; `imageNotFound` when the engine does not have the image.
    package func createContainer(name: String, _ spec: ContainerSpec) async throws -> CreateOutcome {
        let podman = try await podman()
        let spec = if let podman { try await adapted(spec, to: podman) } else { spec }
        let call = try DockerCall(
            action: "create container \(name)", method: "POST", path: "/containers/create",
            query: [("name", name)], accepts: podman == nil ? [404, 409] : [404, 409, 500], retry: .whenUnanswered,
            timeouts: slowTimeouts
        ).sending(json: ContainerCreateBody(spec: spec))
        // Whoever is cancelled meanwhile must know whether there is something to remove: the engine goes on in any case.
        let response = try await Task { try await send(call) }.value
        let problem = DockerAPIError(status: response.head.status, body: response.body)
        switch response.head.status {
        // Podman's words for a conflict.
        case 500 where problem.message.contains(name) && problem.message.contains("already in use"): return .nameTaken
        // A conflict that is not about the name does not go away by inspecting.
        case 409 where problem.message.contains(name): return .nameTaken
        case 404 where problem.message.lowercased().contains("image"):
            throw EngineError(
                .imageNotFound,
                "the container engine does not have the image \"\(spec.image)\"; pull or load it, or name another",
                cause: problem)
        case 404, 409, 500: throw errors.refused(call.action, problem)
        default:
            let created = try decode(CreatedBody.self, response, call)
            return .created(id: created.id, warnings: created.warnings ?? [])
        }
    }

    /// `POST /containers/{id}/start`: runs a container; one that runs already is left alone.
    ///
    /// - Throws: `EngineError`; `startFailed` when the engine has the container and cannot run it.
    package func startContainer(_ id: String) async throws {
        let call = DockerCall(
            action: "start container \(id)", method: "POST", path: DockerPath.container(id, "/start"),
            accepts: [304, 400, 500], retry: .whenUnanswered, timeouts: slowTimeouts)
        let response = try await send(call)
        guard response.head.status >= 400 else { return }
        let problem = DockerAPIError(status: response.head.status, body: response.body)
        throw EngineError(.startFailed, "container \(id) could not be started: \(problem.message)", cause: problem)
    }

    /// `GET /containers/{id}/json`: a container's state; nil when there is none of that id or name.
    package func inspectContainer(_ id: String) async throws -> ContainerDetails? {
        let call = DockerCall(
            action: "inspect container \(id)", path: DockerPath.container(id, "/json"), accepts: [404],
            retry: .always)
        let response = try await send(call)
        return response.head.status == 404 ? nil : try decode(ContainerDetails.self, response, call)
    }

    /// `GET /containers/json`: all containers, running or not, that carry every one of the labels.
    package func listContainers(labels: [String: String]) async throws -> [ContainerSummary] {
        let wanted = labels.map { "\($0.key)=\($0.value)" }.sorted()
        let call = DockerCall(
            action: "list containers", path: "/containers/json",
            query: [("all", "true"), ("filters", try DockerJSON.filters(["label": wanted]))], retry: .always)
        return try await decode([ContainerSummary].self, call).filter { container in
            labels.allSatisfy { container.labels[$0.key] == $0.value }
        }
    }

    /// `POST /containers/{id}/kill`: sends a signal to the first process, in turn with removals.
    @discardableResult
    package func killContainer(_ id: String, signal: String = "SIGKILL") async throws -> KillOutcome {
        let call = DockerCall(
            action: "signal container \(id)", method: "POST", path: DockerPath.container(id, "/kill"),
            query: [("signal", signal)], accepts: [404, 409],
            retry: signal == "SIGKILL" ? .whenUnanswered : .never)
        switch try await sendRemoval(call).head.status {
        case 404: return .noSuchContainer
        case 409: return .notRunning
        default: return .signalled
        }
    }

    /// `DELETE /containers/{id}`: removes a container, with its anonymous volumes, running or not.
    ///
    /// At most `Options.maxRemovals` of these are under way at a time.
    ///
    /// - Returns: false when it was gone already or is being removed by somebody else.
    @discardableResult
    package func removeContainer(
        _ id: String, force: Bool = true, withVolumes: Bool = true
    ) async throws -> Bool {
        let call = DockerCall(
            action: "remove container \(id)", method: "DELETE", path: DockerPath.container(id),
            query: [("force", "\(force)"), ("v", "\(withVolumes)")], accepts: [404, 409], retry: .always,
            timeouts: slowTimeouts)
        let response = try await sendRemoval(call)
        if response.head.status != 409 { return response.head.status != 404 }
        let problem = DockerAPIError(status: 409, body: response.body)
        guard problem.message.contains("already in progress") else { throw errors.refused(call.action, problem) }
        return false
    }

    /// `POST /containers/{id}/wait`: returns the exit status when the container has ended.
    ///
    /// There is no time limit: cancel the task to stop waiting.
    package func waitForContainer(_ id: String, condition: WaitCondition = .notRunning) async throws -> Int {
        let call = DockerCall(
            action: "wait for container \(id)", method: "POST", path: DockerPath.container(id, "/wait"),
            query: [("condition", condition.rawValue)], timeouts: lastingTimeouts, lane: .lasting)
        let answer = try await decode(WaitBody.self, call)
        if let problem = answer.error?.message, !problem.isEmpty {
            throw errors.refused(call.action, DockerAPIError(status: 200, message: problem))
        }
        return answer.statusCode
    }

    /// What a wait waits for.
    package enum WaitCondition: String, Sendable {
        /// Returns at once if the container does not run.
        case notRunning = "not-running"
        /// The next time that it ends, for a container that may not run yet.
        case nextExit = "next-exit"
        case removed
    }

    private struct CreatedBody: Decodable, Sendable {
        let id: String
        let warnings: [String]?

        enum CodingKeys: String, CodingKey {
            case id = "Id"
            case warnings = "Warnings"
        }
    }

    private struct WaitBody: Decodable, Sendable {
        struct Failure: Decodable, Sendable {
            let message: String?
            enum CodingKeys: String, CodingKey { case message = "Message" }
        }

        let statusCode: Int
        let error: Failure?

        enum CodingKeys: String, CodingKey {
            case statusCode = "StatusCode"
            case error = "Error"
        }
    }
}
