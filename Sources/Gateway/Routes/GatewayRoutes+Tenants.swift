import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore

extension GatewayRoutes {
    /// More than any body here has.
    private static let bodyBytes = 16 << 10

    /// Lists all tenants: `GET /v1/admin/tenants`.
    @Sendable func listTenants(_ call: Call) async throws -> Response {
        try call.allowQuery()
        return .json(TenantEncoder.bytes(try await directory().tenants()))
    }

    /// Adds a tenant: `POST /v1/admin/tenants`.
    @Sendable func addTenant(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let root = try await object(call, ["id", "suspended"])
        let faults = FaultList()
        let name = root["id"].flatMap { $0.text("/id", faults) }
        if root["id"] == nil { faults.add("/id", "missing", "The field is needed") }
        let id = name.flatMap(TenantID.init)
        if let name, id == nil {
            faults.add("/id", "invalid", "A tenant's name has 1 to 63 of a-z, 0-9, - and _, which '\(name)' has not")
        }
        let suspended = flag(root["suspended"], "/suspended", faults)
        guard let id, faults.faults.isEmpty else { throw EngineError.invalid(faults.faults) }
        let tenant = try await directory().add(id, isSuspended: suspended ?? false)
        return .json(
            TenantEncoder.bytes(tenant), status: .created, headers: [.location: "/v1/admin/tenants/\(tenant.id)"])
    }

    /// Shows a tenant: `GET /v1/admin/tenants/{tenant}`.
    @Sendable func showTenant(_ call: Call) async throws -> Response {
        try call.allowQuery()
        return .json(TenantEncoder.bytes(try await directory().tenant(try tenantID(call))))
    }

    /// Suspends a tenant or takes that back: `PATCH /v1/admin/tenants/{tenant}`.
    @Sendable func changeTenant(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let id = try tenantID(call)
        let root = try await object(call, ["suspended"])
        let faults = FaultList()
        let suspended = flag(root["suspended"], "/suspended", faults)
        guard faults.faults.isEmpty else { throw EngineError.invalid(faults.faults) }
        guard let suspended else { return .json(TenantEncoder.bytes(try await directory().tenant(id))) }
        if suspended { try refuseOwn(id, call, "suspend") }
        let tenant = try await directory().setSuspended(id, suspended)
        keyCache.forgetAll()
        return .json(TenantEncoder.bytes(tenant))
    }

    /// Removes a tenant with all that is its own: `DELETE /v1/admin/tenants/{tenant}`.
    @Sendable func removeTenant(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let id = try tenantID(call)
        try refuseOwn(id, call, "remove")
        defer { keyCache.forgetAll() }
        try await directory().remove(id)
        return Response(status: .noContent)
    }

    /// Lists the keys of a tenant: `GET /v1/admin/tenants/{tenant}/keys`.
    @Sendable func listKeys(_ call: Call) async throws -> Response {
        try call.allowQuery()
        return .json(TenantEncoder.bytes(try await directory().keys(of: try tenantID(call))))
    }

    /// Makes a key, which is shown this once: `POST /v1/admin/tenants/{tenant}/keys`.
    @Sendable func addKey(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let id = try tenantID(call)
        let root = try await object(call, ["scopes", "expires_in"])
        let faults = FaultList()
        var scopes: Set<KeyScope> = []
        for (place, word) in (root["scopes"]?.texts("/scopes", faults) ?? []).enumerated() {
            guard let scope = KeyScope(rawValue: word) else {
                let known = KeyScope.allCases.map(\.rawValue).joined(separator: ", ")
                faults.add("/scopes/\(place)", "invalid", "A scope is one of \(known)")
                continue
            }
            scopes.insert(scope)
        }
        if scopes.isEmpty, faults.faults.isEmpty {
            faults.add("/scopes", root["scopes"] == nil ? "missing" : "out-of-range", "At least one scope is needed")
        }
        let lifetime = root["expires_in"].flatMap { $0.isNull ? nil : $0.duration("/expires_in", faults) }
        if lifetime == .zero { faults.add("/expires_in", "out-of-range", "The key would have expired already") }
        guard faults.faults.isEmpty else { throw EngineError.invalid(faults.faults) }
        let (text, key) = try await directory().addKey(
            to: id, scopes: scopes, expiresAt: lifetime.map { Date() + $0.seconds })
        return .json(
            TenantEncoder.bytes(key, text: text), status: .created,
            headers: [.location: "/v1/admin/tenants/\(id)/keys/\(key.id)"])
    }

    /// Revokes a key: `DELETE /v1/admin/tenants/{tenant}/keys/{key}`.
    @Sendable func revokeKey(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let (id, key) = (try tenantID(call), call.identifiers[1])
        guard try await directory().hasOtherAdministrator(than: key) else {
            throw Problem(
                .conflict, "last-admin-key", "This is the last key with the scope 'admin': make another one first.")
        }
        try await directory().revokeKey(key, of: id)
        keyCache.forgetAll()
        return Response(status: .noContent)
    }

    private func directory() throws(Problem) -> TenantDirectory {
        guard let tenants else { throw .notFound }
        return tenants
    }

    /// The tenant of the path; one with a name that none can have is not there.
    private func tenantID(_ call: Call) throws(Problem) -> TenantID {
        guard let name = call.identifiers.first, let id = TenantID(name) else { throw .notFound }
        return id
    }

    private func refuseOwn(_ id: TenantID, _ call: Call, _ what: String) throws(Problem) {
        guard id == call.principal.tenant else { return }
        throw Problem(
            .conflict, "own-tenant", "The key of this request belongs to that tenant: use one of another to \(what) it."
        )
    }

    private func flag(_ node: JSONNode?, _ pointer: String, _ faults: FaultList) -> Bool? {
        guard let node, !node.isNull else { return nil }
        if node.bool == nil {
            faults.add(pointer, "wrong-type", "Expected a boolean, not \(node.kind.name)")
        }
        return node.bool
    }

    /// The object in the body, when it has no other members than these.
    private func object(_ call: Call, _ names: Set<String>) async throws -> JSONNode {
        let body = try await call.request.jsonBody(limitBytes: Self.bodyBytes) { _ in nil }
        let root = try parse(body)
        let faults = FaultList()
        for member in root.members where !names.contains(member.name) {
            faults.add(FaultList.pointer("", member.name), "unknown-field", "There is no such field")
        }
        guard faults.faults.isEmpty else { throw EngineError.invalid(faults.faults) }
        return root
    }
}
