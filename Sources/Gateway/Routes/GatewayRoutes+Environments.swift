import HTTPTypes
import Hummingbird
import SlipwayCore

extension GatewayRoutes {
    /// Lists the environments of the caller's tenant: `GET /v1/environments`.
    @Sendable func environments(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let all = await service.environments(tenant: call.principal.tenant)
        return .json(EnvironmentEncoder.list(all))
    }

    /// Shows one environment with what its installer wrote: `GET /v1/environments/{id}`.
    @Sendable func environment(_ call: Call) async throws -> Response {
        try call.allowQuery()
        guard let name = call.identifiers.first, name.utf8.count <= 64 else { throw Problem.notFound }
        return .json(
            EnvironmentEncoder.bytes(try await service.environment(name, tenant: call.principal.tenant), isWhole: true))
    }

    /// Installs ahead what jobs will need: `POST /v1/environments`.
    ///
    /// It does what a job with these requirements does, so it needs the same scope.
    @Sendable func buildEnvironment(_ call: Call) async throws -> Response {
        try call.allowQuery("wait")
        let wait = try Preferences.wait(
            query: call.target.query["wait"], headers: call.headers, maximum: options.waitMax)
        let (body, share) = try await body(of: call, limitBytes: options.jsonBodyMaxBytes)
        let root = try parse(body)
        let faults = FaultList()
        let request = EnvironmentRequestDecoder.decode(root, faults: faults)
        guard faults.faults.isEmpty else {
            faults.add(found: JobRequestValidator.validate(request, limits: limits))
            throw EngineError.invalid(faults.faults)
        }
        share?.release()
        // It costs what a job costs.
        var headers = try rates.take(1, of: call.principal.tenant)
        let status = try await service.buildEnvironment(
            for: request, tenant: call.principal.tenant, waitingUpTo: wait ?? .zero)
        headers[.location] = "/v1/environments/\(status.id)"
        if let wait, call.target.query["wait"] == nil {
            headers[.preferenceApplied] = "wait=\(wait.components.seconds)"
        }
        return .json(
            EnvironmentEncoder.bytes(status, isWhole: true), status: status.state == .building ? .accepted : .ok,
            headers: headers)
    }

    /// Removes environments of the caller's tenant that nothing uses: `POST /v1/environments/prune`.
    @Sendable func pruneEnvironments(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let (body, share) = try await body(of: call, limitBytes: options.jsonBodyMaxBytes)
        let root = try parse(body)
        share?.release()
        let faults = FaultList()
        var ids: [String]?
        var unusedFor: Duration?
        for member in root.members where !member.value.isNull {
            let pointer = FaultList.pointer("", member.name)
            switch member.name {
            case "ids": ids = member.value.texts(pointer, faults)
            case "unused_for": unusedFor = member.value.duration(pointer, faults)
            default: faults.add(pointer, "unknown-field", "There is no such field")
            }
        }
        guard faults.faults.isEmpty else { throw EngineError.invalid(faults.faults) }
        let removed = try await service.pruneEnvironments(
            tenant: call.principal.tenant, ids: ids, unusedFor: unusedFor)
        return .json(EnvironmentEncoder.list(removed, name: "removed"))
    }
}
