import SlipwayCore

/// Writes tenants and keys as JSON.
enum TenantEncoder {
    static func bytes(_ tenant: Tenant) -> [UInt8] {
        var writer = JSONWriter()
        write(tenant, to: &writer)
        return writer.bytes
    }

    static func bytes(_ tenants: [Tenant]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("tenants")
            writer.array { writer in
                for tenant in tenants { write(tenant, to: &writer) }
            }
        }
        return writer.bytes
    }

    static func bytes(_ keys: [TenantKey]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("keys")
            writer.array { writer in
                for key in keys { write(key, text: nil, to: &writer) }
            }
        }
        return writer.bytes
    }

    /// A key that was just made, with its text.
    static func bytes(_ key: TenantKey, text: String) -> [UInt8] {
        var writer = JSONWriter()
        write(key, text: text, to: &writer)
        return writer.bytes
    }

    private static func write(_ tenant: Tenant, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("id")
            writer.value(tenant.id.description)
            writer.name("created_at")
            writer.value(tenant.createdAt)
            writer.name("suspended")
            writer.value(tenant.isSuspended)
        }
    }

    private static func write(_ key: TenantKey, text: String?, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("id")
            writer.value(key.id)
            writer.name("tenant")
            writer.value(key.tenant.description)
            writer.name("scopes")
            writer.array { writer in
                for scope in key.scopes.map(\.rawValue).sorted() { writer.value(scope) }
            }
            writer.name("created_at")
            writer.value(key.createdAt)
            writer.name("expires_at")
            writer.value(key.expiresAt.map(RFC3339.text))
            writer.name("revoked_at")
            writer.value(key.revokedAt.map(RFC3339.text))
            guard let text else { return }
            writer.name("key")
            writer.value(text)
        }
    }
}
