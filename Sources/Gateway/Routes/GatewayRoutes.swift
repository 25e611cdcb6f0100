import HTTPTypes
import Hummingbird
import SlipwayCore

/// What the handlers of all routes share.
struct GatewayRoutes: Sendable {
    let service: any JobService
    let limits: RequestLimits
    let options: GatewayOptions
    /// Tenants and keys; nil where they cannot be administered.
    let tenants: TenantDirectory?
    /// The keys that were looked up lately.
    let keyCache: KeyCache
    /// What each tenant may submit.
    let rates: SubmitRates
    /// The bodies that are held.
    let bodies: ByteBudget
    /// The results on their way to clients.
    let results: ByteBudget

    init(
        service: any JobService, keys: any KeyDirectory, tenants: TenantDirectory?, limits: RequestLimits,
        options: GatewayOptions
    ) {
        self.service = service
        self.tenants = tenants
        keyCache = KeyCache(directory: keys, lifetime: options.keyLifetime)
        rates = SubmitRates(perMinute: options.submitRate)
        self.limits = limits
        self.options = options
        bodies = ByteBudget(limitBytes: options.bodiesInFlightMaxBytes)
        results = ByteBudget(limitBytes: options.resultsInFlightMaxBytes)
    }

    /// A route before it is bound to a service.
    struct Declaration: Sendable {
        let method: HTTPRequest.Method
        let pattern: String
        let scope: KeyScope?
        let handler: @Sendable (GatewayRoutes) -> RouteTable.Handler

        init(
            _ method: HTTPRequest.Method, _ pattern: String, _ scope: KeyScope?,
            _ handler: @escaping @Sendable (GatewayRoutes) -> RouteTable.Handler
        ) {
            self.method = method
            self.pattern = pattern
            self.scope = scope
            self.handler = handler
        }
    }

    /// All routes, as `OpenAPI` describes them.
    static let declarations = [
        Declaration(.post, "/v1/jobs", .submit) { $0.submit },
        Declaration(.get, "/v1/jobs", .read) { $0.list },
        Declaration(.post, "/v1/jobs/batch", .submit) { $0.submitBatch },
        Declaration(.get, "/v1/jobs/{id}", .read) { $0.show },
        Declaration(.delete, "/v1/jobs/{id}", .submit) { $0.delete },
        Declaration(.post, "/v1/jobs/{id}/cancel", .submit) { $0.cancel },
        Declaration(.get, "/v1/jobs/{id}/result", .read) { $0.result },
        Declaration(.get, "/v1/jobs/{id}/artifacts", .read) { $0.artifacts },
        Declaration(.get, "/v1/jobs/{id}/artifacts/{name}", .read) { $0.artifact },
        Declaration(.get, "/v1/jobs/{id}/logs", .read) { $0.logs },
        Declaration(.get, "/v1/jobs/{id}/events", .read) { $0.events },
        Declaration(.get, "/v1/events", .read) { $0.tenantEvents },
        Declaration(.get, "/v1/pools", .read) { $0.pools },
        Declaration(.get, "/v1/usage", .read) { $0.usage },
        Declaration(.get, "/v1/admin/tenants", .admin) { $0.listTenants },
        Declaration(.post, "/v1/admin/tenants", .admin) { $0.addTenant },
        Declaration(.get, "/v1/admin/tenants/{tenant}", .admin) { $0.showTenant },
        Declaration(.patch, "/v1/admin/tenants/{tenant}", .admin) { $0.changeTenant },
        Declaration(.delete, "/v1/admin/tenants/{tenant}", .admin) { $0.removeTenant },
        Declaration(.get, "/v1/admin/tenants/{tenant}/keys", .admin) { $0.listKeys },
        Declaration(.post, "/v1/admin/tenants/{tenant}/keys", .admin) { $0.addKey },
        Declaration(.delete, "/v1/admin/tenants/{tenant}/keys/{key}", .admin) { $0.revokeKey },
        Declaration(.get, "/v1/environments", .read) { $0.environments },
        Declaration(.post, "/v1/environments", .submit) { $0.buildEnvironment },
        Declaration(.post, "/v1/environments/prune", .submit) { $0.pruneEnvironments },
        Declaration(.get, "/v1/environments/{id}", .read) { $0.environment },
        Declaration(.get, "/metrics", .admin) { $0.metrics },
        Declaration(.get, "/healthz", nil) { $0.health },
        Declaration(.get, "/readyz", nil) { $0.readiness },
        Declaration(.get, "/openapi.json", nil) { $0.description },
    ]

    /// All routes, bound to the service.
    var table: RouteTable {
        var table = RouteTable()
        for route in Self.declarations { table.add(route.method, route.pattern, route.scope, route.handler(self)) }
        return table
    }
}

extension GatewayRoutes {
    /// Says that the service is alive: `GET /healthz`.
    @Sendable fileprivate func health(_ call: Call) async throws -> Response {
        try call.allowQuery()
        return .json(Array(#"{"status":"ok"}"#.utf8))
    }

    /// Describes the routes: `GET /openapi.json`.
    @Sendable fileprivate func description(_ call: Call) async throws -> Response {
        try call.allowQuery()
        return .json(OpenAPI.bytes)
    }

    /// Says whether jobs can run: `GET /readyz`.
    @Sendable fileprivate func readiness(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let readiness = await service.readiness()
        return .json(StatusEncoder.bytes(readiness), status: readiness.ready ? .ok : .serviceUnavailable)
    }

    /// Lists the pools of the caller's tenant and those that belong to nobody, or with `all` those of everybody:
    /// `GET /v1/pools`.
    @Sendable fileprivate func pools(_ call: Call) async throws -> Response {
        try call.allowQuery("all")
        let isForAll = try call.flag("all")
        guard !isForAll || call.principal.scopes.contains(.admin) else {
            throw Problem(.forbidden, "scope-missing", "The key does not have the scope 'admin', which all=true needs.")
        }
        return .json(StatusEncoder.bytes(await service.pools(for: isForAll ? nil : call.principal.tenant)))
    }

    /// Says what the caller's tenant may use and what it uses: `GET /v1/usage`.
    @Sendable fileprivate func usage(_ call: Call) async throws -> Response {
        try call.allowQuery()
        return .json(UsageEncoder.bytes(await service.usage(of: call.principal.tenant)))
    }

    /// Hands out measurements for Prometheus: `GET /metrics`.
    @Sendable fileprivate func metrics(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let text = await service.metricsText()
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
