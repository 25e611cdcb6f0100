import Foundation

/// A sandbox that this engine has started and not yet removed.
package struct SandboxRecord: Sendable, Equatable {
    /// The sandbox's identifier.
    package var id: String
    /// The runtime that it belongs to.
    package var runtime: String
    /// The container's identifier, where there is one.
    package var container: String?
    /// The tenant that it is leased to; nil for a stem cell.
    package var tenant: TenantID?
    /// The key of its pool.
    package var poolKey: String
    /// Where its runner dials in.
    package var socketPath: String?
    /// Its first process, as the host sees it.
    package var pid: Int?
    /// When it was started.
    package var createdAt: Date

    package init(
        id: String, runtime: String, container: String? = nil, tenant: TenantID? = nil, poolKey: String,
        socketPath: String? = nil, pid: Int? = nil, createdAt: Date
    ) {
        self.id = id
        self.runtime = runtime
        self.container = container
        self.tenant = tenant
        self.poolKey = poolKey
        self.socketPath = socketPath
        self.pid = pid
        self.createdAt = createdAt
    }
}

/// A tenant as the store knows it.
package struct TenantRecord: Sendable, Equatable {
    /// The tenant's name.
    package var id: TenantID
    /// When it was made.
    package var createdAt: Date
    /// Whether its requests are refused.
    package var suspended: Bool

    package init(id: TenantID, createdAt: Date, suspended: Bool = false) {
        self.id = id
        self.createdAt = createdAt
        self.suspended = suspended
    }
}

/// An API key; the key itself is stored nowhere.
package struct APIKeyRecord: Sendable, Equatable {
    /// The key's name in administration.
    package var id: String
    /// The tenant that it stands for.
    package var tenant: TenantID
    /// SHA-256 of the key.
    package var hash: [UInt8]
    /// What it allows: `read`, `submit`, `admin`.
    package var scopes: [String]
    /// When it was made.
    package var createdAt: Date
    /// From when on it is refused.
    package var expiresAt: Date?
    /// Since when it is revoked.
    package var revokedAt: Date?

    package init(
        id: String, tenant: TenantID, hash: [UInt8], scopes: [String], createdAt: Date, expiresAt: Date? = nil,
        revokedAt: Date? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.hash = hash
        self.scopes = scopes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
    }
}

/// An idempotency key with the checksum of its request.
package struct IdempotencyClaim: Sendable, Equatable {
    /// The key as the caller sent it.
    package var key: String
    /// SHA-256 of method, path and body.
    package var requestHash: [UInt8]

    package init(key: String, requestHash: [UInt8]) {
        self.key = key
        self.requestHash = requestHash
    }
}
