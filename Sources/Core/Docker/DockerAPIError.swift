#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An answer of the container engine with an error status: the cause inside the `EngineError` that callers get.
package struct DockerAPIError: Error, Sendable, Equatable, CustomStringConvertible {
    package let status: Int
    /// The engine's own words, from `{"message": ...}`, or the start of a body that is something else.
    package let message: String

    package init(status: Int, message: String) {
        self.status = status
        self.message = message
    }

    package var description: String { "HTTP \(status): \(message)" }

    /// Reads the engine's error body, bounded for use in messages.
    init(status: Int, body: [UInt8]) {
        let decoded = try? DockerJSON.decode(MessageBody.self, from: body)  // Anything else is shown as text.
        let text = decoded?.message ?? String(decoding: body.prefix(Self.limitBytes), as: UTF8.self)
        self.init(status: status, message: text.isEmpty ? "no message" : String(text.prefix(Self.limitBytes)))
    }

    private struct MessageBody: Decodable { let message: String }
    private static let limitBytes = 4096
}

extension EngineError {
    /// The status that the container engine answered with, if that is the cause.
    package var dockerStatus: Int? { (cause as? DockerAPIError)?.status }
}

/// Makes the errors that callers see out of transport errors and error statuses.
struct DockerErrorMapper {
    let endpoint: DockerEndpoint

    /// An error status; `action` reads like "create container x".
    func refused(_ action: String, _ error: DockerAPIError) -> EngineError {
        plainToTLS(error)
            ?? EngineError(
                .containerEngineError, "the container engine could not \(action): \(error.message)", cause: error)
    }

    /// A body that is not what the API promises.
    func unreadable(_ action: String, _ cause: any Error) -> EngineError {
        EngineError(
            .containerEngineError,
            "the container engine at \(endpoint) answered \"\(action)\" with something unreadable; "
                + "is it a Docker Engine (API \(DockerAPIVersion.oldest) or later)?", cause: cause)
    }

    /// The circuit is open; the failure that opened it says why.
    func circuitOpen(retryAfter: Duration, last: String?) -> EngineError {
        let seconds = max(1, (retryAfter.milliseconds + 999) / 1000)
        let message = last ?? "the container engine at \(endpoint) is not reachable at present"
        return EngineError(.containerEngineUnavailable, message, retryAfterSeconds: seconds)
    }

    func failed(_ action: String, _ error: any Error) -> EngineError {
        switch error {
        case let error as EngineError: return error
        case is CancellationError: return EngineError(.cancelled, "cancelled: \(action)", cause: error)
        case let error as CurlError: return failed(action, error)
        case is DecodingError, is DockerStreamDemultiplexer.Malformed, is DockerMalformedAnswer:
            return unreadable(action, error)
        default: return EngineError(.internalFault, "\(action) failed", cause: error)
        }
    }

    private func failed(_ action: String, _ error: CurlError) -> EngineError {
        switch error.kind {
        case .couldNotConnect:
            return EngineError(.containerEngineUnavailable, unreachable(error), cause: error)
        case .tls:
            return untrusted(error)
        case .timedOut:
            return EngineError(
                .timeout, "the container engine at \(endpoint) did not \(action) in time: \(error.message)",
                cause: error)
        case .connectionLost:
            // In TLS 1.3 a client learns only by a broken connection that its certificate was refused.
            let hint = endpoint.tls == nil ? "" : "; it may not accept this client (docker.tls_cert, docker.tls_key)"
            return EngineError(
                .containerEngineUnavailable,
                "the container engine at \(endpoint) broke off (\(action)): \(error.message)\(hint)", cause: error)
        case .malformedResponse: return unreadable(action, error)
        case .responseTooLarge:
            return EngineError(
                .containerEngineError, "the container engine's answer to \"\(action)\" is too large: \(error.message)",
                cause: error)
        case .cancelled: return EngineError(.cancelled, "cancelled: \(action)", cause: error)
        case .queueFull:
            return EngineError(
                .containerEngineUnavailable, "too many requests to the container engine wait: \(error.message)",
                cause: error)
        case .closed:
            return EngineError(.draining, "the container engine client was shut down (\(action))", cause: error)
        case .internalFault: return EngineError(.internalFault, "\(action) failed: \(error.message)", cause: error)
        }
    }

    private func unreachable(_ error: CurlError) -> String {
        let reason: String
        let advice: String
        switch error.systemError {
        case ENOENT: (reason, advice) = ("there is no such socket", "Is the engine running?")
        case ECONNREFUSED: (reason, advice) = ("connection refused", "Is the engine running?")
        case EACCES, EPERM:
            (reason, advice) = ("permission denied", "This user needs access to the socket (group docker).")
        default: (reason, advice) = (error.message, "Is the engine running, and is DOCKER_HOST right?")
        }
        return "cannot reach the container engine at \(endpoint): \(reason). \(advice)"
    }
}

/// An answer that is valid HTTP and still makes no sense.
struct DockerMalformedAnswer: Error, Sendable, CustomStringConvertible {
    let description: String
}
