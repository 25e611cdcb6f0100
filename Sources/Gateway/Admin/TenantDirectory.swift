import Foundation
import SlipwayCore

/// The tenants of an engine and their API keys.
///
/// ```swift
/// let tenants = TenantDirectory(engine: engine)
/// let acme = try await tenants.add(TenantID("acme")!)
/// let key = try await tenants.addKey(to: acme.id, scopes: [.read, .submit]).text
/// ```
public struct TenantDirectory: Sendable {
    private let engine: Engine
    private var store: JobStore { engine.store }

    /// Makes a directory of an engine's tenants.
    public init(engine: Engine) { self.engine = engine }

    /// All tenants, by name.
    public func tenants() async throws -> [Tenant] { try await store.tenants().map(Tenant.init) }

    /// A tenant.
    ///
    /// - Throws: ``EngineError`` `.notFound`.
    public func tenant(_ id: TenantID) async throws -> Tenant {
        guard let record = try await store.tenant(id) else { throw Self.noTenant }
        return Tenant(record)
    }

    /// Adds a tenant, which has no keys yet.
    ///
    /// - Throws: ``EngineError`` `.alreadyExists`.
    @discardableResult
    public func add(_ id: TenantID, isSuspended: Bool = false) async throws -> Tenant {
        let record = TenantRecord(id: id, createdAt: Date(), suspended: isSuspended)
        guard try await store.perform(.addTenant(record)) == .applied(true) else {
            throw EngineError(.alreadyExists, "There is a tenant '\(id)' already.")
        }
        return try await tenant(id)
    }

    /// Suspends a tenant, or takes that back: its keys open nothing meanwhile, and what it submitted before goes on.
    ///
    /// - Throws: ``EngineError`` `.notFound`.
    @discardableResult
    public func setSuspended(_ id: TenantID, _ isSuspended: Bool) async throws -> Tenant {
        guard try await store.perform(.setSuspended(id, isSuspended)) == .applied(true) else { throw Self.noTenant }
        return try await tenant(id)
    }

    /// Removes a tenant with its keys, its jobs, their payloads and logs.
    ///
    /// Its environments stay until they are pruned: do not give its name to somebody else.
    ///
    /// - Throws: ``EngineError`` `.tenantBusy` while it has unfinished jobs, `.notFound`, `.notAllowed` for `default`.
    public func remove(_ id: TenantID) async throws { try await engine.remove(tenant: id) }

    /// The keys of a tenant, oldest first; revoked and expired ones included.
    ///
    /// - Throws: ``EngineError`` `.notFound`.
    public func keys(of id: TenantID) async throws -> [TenantKey] {
        _ = try await tenant(id)
        return try await store.keys(tenant: id).map(TenantKey.init)
    }

    /// Makes a key; its text is told here and never again.
    ///
    /// - Throws: ``EngineError`` `.notFound` when there is no such tenant.
    public func addKey(
        to id: TenantID, scopes: Set<KeyScope>, expiresAt: Date? = nil
    ) async throws -> (text: String, key: TenantKey) {
        _ = try await tenant(id)
        let made = APIKey()
        let record = APIKeyRecord(
            id: made.id, tenant: id, hash: made.hash, scopes: scopes.map(\.rawValue).sorted(), createdAt: Date(),
            expiresAt: expiresAt)
        try await store.perform(.addKey(record))
        return (made.text, TenantKey(record))
    }

    /// Revokes a key; one that is revoked already stays so.
    ///
    /// - Throws: ``EngineError`` `.notFound` when the tenant has no such key.
    public func revokeKey(_ key: String, of id: TenantID) async throws {
        if try await store.perform(.revokeKey(key, tenant: id, at: Date())) == .applied(true) { return }
        guard try await store.keys(tenant: id).contains(where: { $0.id == key }) else { throw Self.noTenant }
    }

    /// Whether another key than this one allows administration.
    func hasOtherAdministrator(than key: String) async throws -> Bool {
        try await store.hasAdministrator(besides: key)
    }

    private static var noTenant: EngineError { EngineError(.notFound, "There is no such tenant or key.") }
}
