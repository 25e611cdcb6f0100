import Synchronization

/// A client of the Docker Engine API (1.41 and later) over libcurl.
///
/// All calls throw `EngineError`: `containerEngineUnavailable` when nobody answers, `timeout`, `cancelled`, and
/// `containerEngineError` with a `DockerAPIError` as its cause when the engine refuses. Calls that only read or are
/// idempotent by name are retried with jitter. A circuit breaker spares callers the wait while the engine is down;
/// `ping` goes out regardless and closes it.
///
/// Podman's compatible socket answers the same calls, and tells itself by a header of its own. Known differences: it
/// reports states of its own (`initialized`, `stopped`), which inspection passes on as `.other`; containers are made as
/// `ContainerSpec.adaptedToPodman` and `DockerClient.adapted` say; it changes limits over its own interface only; it
/// lists what carries any of several labels, of which only what carries all is kept here; and it refuses a name that is
/// taken with 500.
package final class DockerClient: Sendable {
    /// Limits and policies of a client.
    package struct Options: Sendable {
        /// Limits of calls that neither start containers nor move images.
        package var timeouts = CurlTimeouts(connect: .seconds(5), total: .seconds(30))
        /// Limit of create, start and remove, which wait for disks and the kernel.
        package var slowCallTimeout: Duration = .seconds(120)
        /// How long an image upload may stall.
        package var uploadIdleTimeout: Duration = .seconds(300)
        /// Retries of idempotent calls.
        package var retry = RetryPolicy()
        /// Retries end after this time.
        package var retryBudget: Duration = .seconds(10)
        /// When to stop calling, and for how long.
        package var circuit = CircuitBreaker()
        /// The containers that are killed or removed at the same time; further ones wait their turn.
        package var maxRemovals = 4
        package var transport = CurlTransport.Options()
        /// A folder of this machine for the filters of system calls, which Podman reads from files; nil where the engine
        /// does not see this machine's folders.
        package var seccompFolder: String?

        package init() {}
    }

    private struct Shared {
        var circuit: CircuitBreaker
        var engine: Engine?
        /// The file of the filter of system calls that containers on Podman get.
        var podmanFilter: PodmanFilter<String>?
        var lastFailure: String?
    }

    /// What an engine tells of itself when it answers a ping.
    private struct Engine {
        var version: DockerAPIVersion
        var podman: PodmanRelease?
    }

    package let endpoint: DockerEndpoint
    let options: Options
    let transport: CurlTransport
    let errors: DockerErrorMapper
    private let shared: Mutex<Shared>
    /// Engines were seen to lock up when many containers end at one moment.
    private let removals: CallGate
    /// What `discard` could not remove.
    let owed = OwedRemovals()

    package init(endpoint: DockerEndpoint, options: Options = Options()) {
        self.endpoint = endpoint
        self.options = options
        transport = CurlTransport(options: options.transport)
        errors = DockerErrorMapper(endpoint: endpoint)
        shared = Mutex(Shared(circuit: options.circuit))
        removals = CallGate(limit: options.maxRemovals)
    }

    /// Where the circuit stands, for readiness reports.
    package var circuit: CircuitBreaker.State { shared.withLock { $0.circuit.state } }

    /// Ends every call and frees the connections.
    package func shutdown() async {
        await transport.shutdown()
    }

    /// Limits of a call that may take the engine long.
    var slowTimeouts: CurlTimeouts {
        CurlTimeouts(connect: options.timeouts.connect, total: options.slowCallTimeout)
    }

    /// Limits of a call that lasts as long as something else does.
    var lastingTimeouts: CurlTimeouts {
        CurlTimeouts(connect: options.timeouts.connect, total: nil, idle: nil)
    }

    // MARK: Calls

    /// Sends a call and returns its answer: a 2xx status or one that the call accepts.
    func send(_ call: DockerCall) async throws -> CurlResponse {
        try await retrying(call) {
            let request = try await self.request(for: call)
            return try await self.guarded(call) {
                let response = try await self.transport.send(request, limitBytes: call.limitBytes)
                return (response, response.head.status)
            }
        } status: {
            ($0.head.status, $0.body)
        }
    }

    /// Sends a call that ends a container, tries included, when no more than the allowed number of them is under way.
    ///
    /// Its limits of time begin when its turn has come.
    func sendRemoval(_ call: DockerCall) async throws -> CurlResponse {
        do {
            return try await removals.run { try await self.send(call) }
        } catch {
            throw errors.failed(call.action, error)
        }
    }

    /// Sends a call and decodes its JSON answer.
    func decode<Value: Decodable & Sendable>(_ type: Value.Type, _ call: DockerCall) async throws -> Value {
        try decode(type, try await send(call), call)
    }

    func decode<Value: Decodable>(_ type: Value.Type, _ response: CurlResponse, _ call: DockerCall) throws -> Value {
        do {
            return try DockerJSON.decode(type, from: response.body)
        } catch {
            throw errors.unreadable(call.action, error)
        }
    }

    /// Sends a call whose answer streams; an error status is read and thrown.
    func open(_ call: DockerCall) async throws -> (head: CurlResponseHead, body: CurlBody) {
        do {
            let request = try await request(for: call)
            let answer = try await guarded(call) {
                let answer = try await self.transport.open(request)
                return (answer, answer.head.status)
            }
            if (200..<300).contains(answer.head.status) { return answer }
            let body = try await answer.body.collect(limitBytes: 64 * 1024)
            throw errors.refused(call.action, DockerAPIError(status: answer.head.status, body: body))
        } catch {
            throw errors.failed(call.action, error)
        }
    }

    private func retrying(
        _ call: DockerCall, _ attempt: () async throws -> CurlResponse,
        status: (CurlResponse) -> (Int, [UInt8])
    ) async throws -> CurlResponse {
        do {
            let policy = call.retry == .never ? RetryPolicy.never : options.retry
            return try await policy.run(budget: options.retryBudget, isRetryable: { call.retry.allows($0) }) {
                let response = try await attempt()
                let (status, body) = status(response)
                if (200..<300).contains(status) || call.accepts.contains(status) { return response }
                throw DockerAPIError(status: status, body: body)
            }
        } catch let error as DockerAPIError {
            throw errors.refused(call.action, error)
        } catch {
            throw errors.failed(call.action, error)
        }
    }

    private func request(for call: DockerCall) async throws -> CurlRequest {
        let version = try await engine().version
        return call.request(origin: endpoint.origin, version: version, defaults: options.timeouts)
    }

    /// Runs one exchange under the circuit breaker.
    private func guarded<Answer: Sendable>(
        _ call: DockerCall, _ exchange: () async throws -> (Answer, status: Int)
    ) async throws -> Answer {
        let admission = shared.withLock { $0.circuit.admit(at: .now) }
        if case .reject(let retryAfter) = admission {
            throw errors.circuitOpen(retryAfter: retryAfter, last: shared.withLock { $0.lastFailure })
        }
        do {
            let (answer, _) = try await exchange()
            recordSuccess()
            return answer
        } catch {
            recordFailure(error, admission, call.action)
            throw error
        }
    }

    // MARK: Circuit and version

    /// The version that both sides speak, asked for once and again after the engine was away.
    ///
    /// - Throws: `EngineError` with code `containerEngineError` if the engine is too old.
    package func apiVersion() async throws -> DockerAPIVersion { try await engineOrError().version }

    /// Which Podman it is; nil for another engine.
    package func podman() async throws -> PodmanRelease? { try await engineOrError().podman }

    /// The engine, outside of a call with tries of its own: why it does not answer is told as of any call.
    private func engineOrError() async throws -> Engine {
        do {
            return try await engine()
        } catch {
            throw errors.failed("answer a ping", error)
        }
    }

    private func engine() async throws -> Engine {
        if let known = shared.withLock({ $0.engine }) { return known }
        let admission = shared.withLock { $0.circuit.admit(at: .now) }
        if case .reject(let retryAfter) = admission {
            throw errors.circuitOpen(retryAfter: retryAfter, last: shared.withLock { $0.lastFailure })
        }
        let call = DockerCall(action: "answer a ping", path: "/_ping", retry: .whenUnanswered)
        let response = try await ping(call, admission)
        let engine = try introduced(response)
        shared.withLock { $0.engine = engine }
        return engine
    }

    /// The filter of system calls that containers on Podman get, which is looked for once and again after it was away.
    func podmanFilter(_ find: () async throws -> PodmanFilter<String>) async throws -> PodmanFilter<String> {
        if let known = shared.withLock({ $0.podmanFilter }) { return known }
        let found = try await find()
        shared.withLock { $0.podmanFilter = found }
        return found
    }

    /// The longest that an engine which answers at all takes to say so.
    private static let pingTimeout = Duration.seconds(10)

    /// `GET /_ping`, past the circuit: whether the engine answers, as a probe for readiness.
    ///
    /// - Throws: `EngineError`; the circuit learns the outcome either way.
    package func ping() async throws {
        let call = DockerCall(action: "answer a ping", path: "/_ping", retry: .whenUnanswered)
        do {
            let engine = try introduced(try await ping(call, .pass))
            shared.withLock { $0.engine = engine }
        } catch {
            throw errors.failed(call.action, error)
        }
    }

    private func ping(_ call: DockerCall, _ admission: CircuitBreaker.Admission) async throws -> CurlResponse {
        var call = call
        call.timeouts = CurlTimeouts(
            connect: options.timeouts.connect, total: min(options.timeouts.total ?? Self.pingTimeout, Self.pingTimeout))
        let request = call.request(origin: endpoint.origin, version: nil, defaults: options.timeouts)
        do {
            let response = try await transport.send(request, limitBytes: 64 * 1024)
            guard response.head.status == 200 else {
                throw DockerAPIError(status: response.head.status, body: response.body)
            }
            recordSuccess()
            return response
        } catch {
            recordFailure(error, admission, call.action)
            if let error = error as? DockerAPIError { throw errors.refused(call.action, error) }
            throw error
        }
    }

    private func introduced(_ response: CurlResponse) throws -> Engine {
        Engine(version: try negotiated(response), podman: PodmanRelease(response))
    }

    private func negotiated(_ response: CurlResponse) throws -> DockerAPIVersion {
        guard let text = response.head.header("Api-Version"), let offered = DockerAPIVersion(text) else {
            throw errors.unreadable("answer a ping", DockerMalformedAnswer(description: "no Api-Version header"))
        }
        guard offered >= .oldest else {
            throw EngineError(
                .containerEngineError,
                "the container engine at \(endpoint) speaks API \(offered); \(DockerAPIVersion.oldest) or later is "
                    + "needed (Docker 20.10)")
        }
        return min(offered, .newest)
    }

    func recordSuccess() {
        shared.withLock { $0.circuit.succeeded() }
    }

    /// Failures to answer count; refusals and cancellations do not.
    func recordFailure(_ error: any Error, _ admission: CircuitBreaker.Admission, _ action: String) {
        let text = errors.failed(action, error).message
        shared.withLock { shared in
            guard DockerCall.Retry.isSilence(error) else {
                shared.circuit.abandoned(admission)
                return
            }
            shared.circuit.failed(admission, at: .now)
            shared.lastFailure = text
            // An engine that comes back may be another version.
            shared.engine = nil
            shared.podmanFilter = nil
        }
    }
}

extension DockerCall.Retry {
    func allows(_ error: any Error) -> Bool {
        switch self {
        case .never: false
        case .whenUnanswered: Self.isSilence(error)
        case .always: Self.isSilence(error) || ((error as? DockerAPIError).map { $0.status >= 500 } ?? false)
        }
    }

    /// Whether the engine gave no usable answer at all.
    static func isSilence(_ error: any Error) -> Bool {
        guard let kind = (error as? CurlError)?.kind else { return false }
        return [.couldNotConnect, .timedOut, .connectionLost, .malformedResponse, .tls].contains(kind)
    }
}
