import Foundation
import SlipwayCore

/// Where keys are looked up.
package protocol KeyDirectory: Sendable {
    /// The key with this SHA-256, also when it has been revoked or has expired; nil when there is none.
    func key(withHash hash: [UInt8]) async throws -> StoredKey?
}

/// What is known about a key.
package struct StoredKey: Sendable {
    /// The public name of the key.
    package var id: String
    /// The tenant that it belongs to.
    package var tenant: TenantID
    /// The SHA-256 of the key.
    package var hash: [UInt8]
    /// What it allows.
    package var scopes: Set<KeyScope>
    /// When it ends to be valid; nil for never.
    package var expiresAt: Date?
    /// Whether somebody revoked it.
    package var isRevoked: Bool
    /// Whether the tenant is suspended.
    package var isSuspended: Bool

    package init(
        id: String, tenant: TenantID, hash: [UInt8], scopes: Set<KeyScope>, expiresAt: Date? = nil,
        isRevoked: Bool = false, isSuspended: Bool = false
    ) {
        self.id = id
        self.tenant = tenant
        self.hash = hash
        self.scopes = scopes
        self.expiresAt = expiresAt
        self.isRevoked = isRevoked
        self.isSuspended = isSuspended
    }
}
