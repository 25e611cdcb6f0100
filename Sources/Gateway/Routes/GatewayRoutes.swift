import HTTPTypes
import Hummingbird
import SlipwayCore

/// What the handlers of all routes share.
struct GatewayRoutes: Sendable {
    let service: any JobService
    let limits: RequestLimits
    let options: GatewayOptions

    /// All routes.
    var table: RouteTable {
        var table = RouteTable()
        table.add(.post, "/v1/jobs", .submit, submit)
        table.add(.get, "/v1/jobs", .read, list)
        table.add(.post, "/v1/jobs/batch", .submit, submitBatch)
        table.add(.get, "/v1/jobs/{id}", .read, show)
        table.add(.delete, "/v1/jobs/{id}", .submit, delete)
        table.add(.post, "/v1/jobs/{id}/cancel", .submit, cancel)
        table.add(.get, "/v1/jobs/{id}/result", .read, result)
        table.add(.get, "/v1/jobs/{id}/logs", .read, logs)
        table.add(.get, "/v1/jobs/{id}/events", .read, events)
        table.add(.get, "/v1/pools", .read, pools)
        table.add(.get, "/metrics", .read, metrics)
        table.add(.get, "/healthz", nil) { call in
            try call.allowQuery()
            return .json(Array(#"{"status":"ok"}"#.utf8))
        }
        table.add(.get, "/readyz", nil, readiness)
        table.add(.get, "/openapi.json", nil) { call in
            try call.allowQuery()
            return .json(OpenAPI.bytes)
        }
        return table
    }
}

extension GatewayRoutes {
    /// `GET /readyz`
    @Sendable private func readiness(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let readiness = await service.readiness()
        return .json(StatusEncoder.bytes(readiness), status: readiness.ready ? .ok : .serviceUnavailable)
    }

    /// `GET /v1/pools`: what the caller's tenant has warm, and what belongs to nobody.
    @Sendable private func pools(_ call: Call) async throws -> Response {
        try call.allowQuery()
        return .json(StatusEncoder.bytes(await service.pools(for: call.principal.tenant)))
    }

    /// `GET /metrics`
    @Sendable private func metrics(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let text = await service.metricsText()
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
