import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import SlipwayCore

/// What the server hands over with each request.
struct GatewayContext: InitializableFromSource {
    let channel: any Channel
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }

    /// The number that Hummingbird gave to the request.
    var requestID: String { logger[metadataKey: "hb.request.id"]?.description ?? "unknown" }
}

/// Answers requests: finds the route, checks the key, calls the handler, turns errors into problems.
struct GatewayResponder: HTTPResponder {
    private let table: RouteTable
    private let authenticator: Authenticator
    private let options: GatewayOptions
    private let connections: Connections

    init(routes: GatewayRoutes, connections: Connections) {
        self.connections = connections
        table = routes.table
        options = routes.options
        authenticator = Authenticator(cache: routes.keyCache)
    }

    func respond(to request: Request, context: GatewayContext) async throws -> Response {
        let started = ContinuousClock.now
        let requestID = context.requestID
        var response: Response
        do {
            response = try await answer(request, on: context.channel)
        } catch let failure as BodyFailure where !(failure.underlying is BodyStalled) {
            // The server knows how to end a connection whose framing is broken.
            throw failure.underlying
        } catch {
            var problem = Self.problem(error)
            if problem.slug == EngineError.Code.queueFull.rawValue {
                problem.headers[.rateLimitPolicy] = "\"queue\";q=\(options.queueMax)"
                problem.headers[.rateLimit] = "\"queue\";r=0;t=\(problem.headers[.retryAfter] ?? "1")"
            }
            if let cause = problem.cause {
                // What passes is told once by whoever sees it begin, not for each request that meets it.
                let level: Logger.Level = [503, 507].contains(problem.status.code) ? .debug : .error
                context.logger.log(
                    level: level, "request failed", metadata: ["error": "\(cause)", "slug": "\(problem.slug)"])
            }
            response = problem.response(instance: Self.instance(request), requestID: requestID)
            if problem.closesConnection { Self.closeSoon(context.channel) }
        }
        response.headers[.requestID] = requestID
        response.headers[.cacheControl] = "no-store"
        response.headers[.contentTypeOptions] = "nosniff"
        if request.method == .head { response = response.createHeadResponse() }
        context.logger.debug(
            "request answered",
            metadata: [
                "method": "\(request.method)", "path": "\(Self.instance(request))", "status": "\(response.status.code)",
                "microseconds": "\((ContinuousClock.now - started) / .microseconds(1))",
            ])
        return response
    }

    private func answer(_ request: Request, on channel: any Channel) async throws -> Response {
        let target = try RequestTarget(request.head.path ?? "", maximumBytes: options.requestLineMaxBytes)
        let match = table.match(target.segments)
        // An answer without a head's body is that of the method it stands for.
        let method = request.method == .head ? .get : request.method
        let route = match?.path.routes.first { $0.method == method }
        // Below /v1 nothing is said without a key, not even what exists.
        guard let match, let route else {
            if target.segments.first == "v1" {
                _ = try await authenticator.principal(request.headers, scope: nil)
            }
            guard let match else { throw Problem.notFound }
            throw Self.methodNotAllowed(match.path)
        }
        var principal = Principal(tenant: .default, keyID: "", scopes: [])
        if let scope = route.scope {
            principal = try await authenticator.principal(request.headers, scope: scope)
        }
        let call = Call(
            request: request, target: target, identifiers: match.identifiers, principal: principal, channel: channel,
            connections: connections)
        return try await route.handler(call)
    }

    private static func methodNotAllowed(_ path: RouteTable.Path) -> Problem {
        let methods = path.routes.flatMap { $0.method == .get ? ["GET", "HEAD"] : [$0.method.rawValue] }
        let allowed = methods.sorted().joined(separator: ", ")
        var problem = Problem(.methodNotAllowed, "method-not-allowed", "This address allows \(allowed).")
        problem.headers[.allow] = allowed
        return problem
    }

    private static func problem(_ error: any Error) -> Problem {
        switch error {
        case let problem as Problem: problem
        case let error as EngineError: Problem(error)
        case let error as JSONParseError: Problem(error)
        case is BodyFailure: .bodyStalled
        case is CancellationError: Problem(EngineError(.draining, "The service ends.", cause: error))
        default: .internalFault(error)
        }
    }

    /// The path of a request without its query, which may hold what must not be shown.
    private static func instance(_ request: Request) -> String {
        let path = (request.head.path ?? "").prefix { $0 != "?" && $0 != "#" }
        return String(path.prefix(512))
    }

    /// Gives the client a moment to read the answer while the rest of its request is thrown away.
    private static func closeSoon(_ channel: any Channel) {
        channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
    }
}
