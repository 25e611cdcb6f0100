import Foundation
import SlipwayCore

/// A tenant of an engine.
public struct Tenant: Sendable, Equatable {
    /// Its name.
    public let id: TenantID
    /// When it was made.
    public let createdAt: Date
    /// Whether its requests are refused.
    public let isSuspended: Bool

    init(_ record: TenantRecord) {
        id = record.id
        createdAt = record.createdAt
        isSuspended = record.suspended
    }
}

/// What is known about an API key; the key itself is stored nowhere.
public struct TenantKey: Sendable, Equatable {
    /// The public name of the key, which stands in its text, too.
    public let id: String
    /// Whose key it is.
    public let tenant: TenantID
    /// What it allows.
    public let scopes: Set<KeyScope>
    /// When it was made.
    public let createdAt: Date
    /// From when on it is refused; nil for never.
    public let expiresAt: Date?
    /// Since when it is revoked.
    public let revokedAt: Date?

    init(_ record: APIKeyRecord) {
        id = record.id
        tenant = record.tenant
        scopes = Set(record.scopes.compactMap(KeyScope.init(rawValue:)))
        createdAt = record.createdAt
        expiresAt = record.expiresAt
        revokedAt = record.revokedAt
    }

    /// Whether it opens anything at this moment, apart from its tenant.
    var isValid: Bool { revokedAt == nil && (expiresAt.map { $0 > Date() } ?? true) }
}
