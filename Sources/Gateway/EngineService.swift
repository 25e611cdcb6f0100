import Foundation
import SlipwayCore

extension Engine: JobService {}

/// Looks keys up in an engine's job store.
package struct StoreKeyDirectory: KeyDirectory {
    private let store: JobStore

    package init(store: JobStore) { self.store = store }

    package func key(withHash hash: [UInt8]) async throws -> StoredKey? {
        guard let record = try await store.key(hash: hash) else { return nil }
        let tenant = try await store.tenant(record.tenant)
        return StoredKey(
            id: record.id, tenant: record.tenant, hash: record.hash,
            scopes: Set(record.scopes.compactMap(KeyScope.init(rawValue:))), expiresAt: record.expiresAt,
            isRevoked: record.revokedAt != nil, isSuspended: tenant?.suspended ?? false)
    }
}

extension StoreKeyDirectory {
    /// Makes the `default` tenant and its key on the first start, and the credentials file for this user.
    ///
    /// A credentials file that belongs to another gateway is left alone; this one's then goes to `fallbackPath`.
    ///
    /// - Parameter url: Where the gateway listens; a credentials file with another address is brought up to date.
    /// - Returns: The credentials file, and whether a new key was made.
    package func prepareDefaultTenant(
        url: String, credentialsPath: String, fallbackPath: String
    ) async throws -> (path: String, isNew: Bool) {
        var target = credentialsPath
        for path in [credentialsPath, fallbackPath] {
            guard let credentials = try Credentials.load(from: path) else { continue }
            if let known = try await key(withHash: APIKey.hash(of: credentials.key)), !known.isRevoked {
                if credentials.url != url {
                    try Credentials(url: url, key: credentials.key, tenant: credentials.tenant).write(to: path)
                }
                return (path, false)
            }
            target = fallbackPath
        }
        let made = APIKey()
        try await store.perform(.addTenant(TenantRecord(id: .default, createdAt: Date())))
        try await store.perform(
            .addKey(
                APIKeyRecord(
                    id: made.id, tenant: .default, hash: made.hash, scopes: KeyScope.allCases.map(\.rawValue),
                    createdAt: Date())))
        try Credentials(url: url, key: made.text, tenant: TenantID.default.description).write(to: target)
        return (target, true)
    }
}

extension GatewayOptions {
    /// Makes options that are as a configuration has them, in its sections `gateway` and `jobs`.
    public init(_ configuration: Configuration) {
        self.init()
        let gateway = configuration.gateway
        host = gateway.host
        port = gateway.port
        waitMax = gateway.waitMax
        requestLineMaxBytes = gateway.requestLineMaxBytes
        headerCountMax = gateway.headerCountMax
        headerBytesMax = gateway.headerBytesMax
        headerTimeout = gateway.headerTimeout
        bodyTimeout = gateway.bodyTimeout
        sendTimeout = gateway.sendTimeout
        bodiesInFlightMaxBytes = gateway.bodiesInFlightMaxBytes
        resultsInFlightMaxBytes = gateway.resultsInFlightMaxBytes
        roomTimeout = gateway.roomTimeout
        jsonBodyMaxBytes = gateway.jsonBodyMaxBytes
        jsonDepthMax = gateway.jsonDepthMax
        payloadMaxBytes = configuration.jobs.payloadEncodedMaxBytes
        batchMax = configuration.jobs.batchMax
        connectionsMax = gateway.connectionsMax
        submitRate = gateway.submitRate
        queueMax = configuration.jobs.queueMax
    }
}
