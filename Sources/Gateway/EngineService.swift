import Foundation
import SlipwayCore

extension Engine: JobService {}

/// Looks keys up in an engine's job store.
package struct StoreKeyDirectory: KeyDirectory {
    let store: JobStore

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
