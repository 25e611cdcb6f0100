extension DockerClient {
    /// `POST /images/create`: has the engine pull an image from its registry.
    ///
    /// Ends when the image is there. Cancelling the task ends the pull; layers that were whole are kept by the engine.
    /// - Parameters:
    ///   - credentials: Sent as `X-Registry-Auth`, in no message and no log.
    ///   - total: The longest pull.
    ///   - idle: The longest time without a word of progress.
    ///   - progress: Gets the state after each message.
    /// - Throws: `EngineError` that names the image and what to change.
    package func pullImage(
        _ reference: String, credentials: RegistryCredentials?, total: Duration, idle: Duration,
        progress: @Sendable (PullProgress) -> Void
    ) async throws {
        let name = ImageName(reference)
        let failure = PullFailure(image: reference, registry: name.registry, hasCredentials: credentials != nil)
        var query = [(name: "fromImage", value: name.repository)]
        // Without a tag the engine would pull all of them; a digest is a tag to it.
        query.append((name: "tag", value: name.digest ?? name.tag ?? "latest"))
        var call = DockerCall(
            action: "pull image \(reference)", method: "POST", path: "/images/create", query: query, lane: .lasting)
        call.timeouts = CurlTimeouts(connect: options.timeouts.connect, total: total, idle: idle)
        if let credentials { call.headers = [(name: "X-Registry-Auth", value: credentials.header)] }
        var state = PullProgress()
        let started = ContinuousClock.now
        do {
            let (_, body) = try await open(call)
            var lines = DockerLineSplitter()
            while let chunk = try await body.next() {
                for line in try lines.feed(chunk) {
                    let message = try DockerJSON.decode(PullMessage.self, from: line)
                    if let words = message.error { throw failure.error(words) }
                    guard let layer = message.id, let status = message.status else { continue }
                    state.note(
                        layer: layer, status: status, currentBytes: message.progress?.current,
                        totalBytes: message.progress?.total)
                    progress(state)
                }
            }
        } catch let error as EngineError {
            if error.code == .timeout { throw tooLong(failure, started, total, idle, state) }
            guard let refusal = error.cause as? DockerAPIError else { throw error }
            throw failure.error(refusal.message, cause: error)
        } catch let error as CurlError where error.kind == .timedOut {
            throw tooLong(failure, started, total, idle, state)
        } catch {
            throw errors.failed(call.action, error)
        }
    }

    private func tooLong(
        _ failure: PullFailure, _ started: ContinuousClock.Instant, _ total: Duration, _ idle: Duration,
        _ state: PullProgress
    ) -> EngineError {
        started.duration(to: .now) >= total
            ? failure.tooLong("images.pull_timeout", total, state)
            : failure.tooLong("images.pull_stall without progress", idle, state)
    }

    private struct PullMessage: Decodable {
        struct Detail: Decodable {
            let current: Int?
            let total: Int?
        }

        let status: String?
        let id: String?
        let error: String?
        let progress: Detail?

        enum CodingKeys: String, CodingKey {
            case status, id, error
            case progress = "progressDetail"
        }
    }
}
