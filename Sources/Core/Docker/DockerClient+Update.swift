extension DockerClient {
    /// Limits that can change while a container lives; nil leaves one as it is.
    package struct ResourceUpdate: Sendable, Encodable {
        package var nanoCPUs: Int64?
        package var memoryBytes: Int64?
        package var memorySwapBytes: Int64?
        package var processLimit: Int64?
        /// The processors that it may use, such as `0,2`.
        package var processors: String?

        package init(
            nanoCPUs: Int64? = nil, memoryBytes: Int64? = nil, memorySwapBytes: Int64? = nil,
            processLimit: Int64? = nil, processors: String? = nil
        ) {
            self.nanoCPUs = nanoCPUs
            self.memoryBytes = memoryBytes
            self.memorySwapBytes = memorySwapBytes
            self.processLimit = processLimit
            self.processors = processors
        }

        enum CodingKeys: String, CodingKey {
            case nanoCPUs = "NanoCpus"
            case memoryBytes = "Memory"
            case memorySwapBytes = "MemorySwap"
            case processLimit = "PidsLimit"
            case processors = "CpusetCpus"
        }
    }

    /// `POST /containers/{id}/update`: changes a container's limits, running or not.
    ///
    /// Podman knows it on its own interface only.
    package func updateContainer(_ id: String, _ update: ResourceUpdate) async throws {
        if let podman = try await podman() { return try await updateContainer(id, update, of: podman) }
        let call = try DockerCall(
            action: "change the limits of container \(id)", method: "POST",
            path: DockerPath.container(id, "/update"), retry: .whenUnanswered
        ).sending(json: update)
        _ = try await send(call)
    }

    /// `POST /containers/{id}/pause`: freezes every process; a frozen container is left as it is.
    package func pauseContainer(_ id: String) async throws {
        try await freeze(id, "pause", alreadyDone: "already paused")
    }

    /// `POST /containers/{id}/unpause`: lets a frozen container go on; a running one is left as it is.
    package func unpauseContainer(_ id: String) async throws {
        try await freeze(id, "unpause", alreadyDone: "not paused")
    }

    private func freeze(_ id: String, _ verb: String, alreadyDone: String) async throws {
        let call = DockerCall(
            action: "\(verb) container \(id)", method: "POST", path: DockerPath.container(id, "/\(verb)"),
            accepts: [409, 500], retry: .whenUnanswered)
        let response = try await send(call)
        guard response.head.status >= 400 else { return }
        let problem = DockerAPIError(status: response.head.status, body: response.body)
        guard problem.message.contains(alreadyDone) else { throw errors.refused(call.action, problem) }
    }
}
