import Foundation
import Logging
import ServiceLifecycle
import SlipwayCore
import SlipwayGateway
import TestSupport

/// A gateway before an engine of the test, with a key for each of some tenants.
struct ServedEngine: Sendable {
    let engine: TestEngine
    let port: Int
    let keys: [TenantID: String]

    /// Calls the gateway as a tenant.
    func client(_ tenant: TenantID) -> HTTPClient { HTTPClient(.port(port), key: keys[tenant]) }

    /// Serves an engine while `body` runs; the engine is the caller's to stop.
    static func run(
        _ engine: TestEngine, tenants: [TenantID], _ body: @Sendable (ServedEngine) async throws -> Void
    ) async throws {
        let store = engine.engine.store
        var keys: [TenantID: String] = [:]
        for tenant in tenants {
            let key = APIKey()
            try await store.perform(.addTenant(TenantRecord(id: tenant, createdAt: Date())))
            try await store.perform(
                .addKey(
                    APIKeyRecord(
                        id: key.id, tenant: tenant, hash: key.hash, scopes: KeyScope.allCases.map(\.rawValue),
                        createdAt: Date())))
            keys[tenant] = key.text
        }
        var options = GatewayOptions()
        options.port = 0
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let gateway = GatewayService(
            service: engine.engine, keys: StoreKeyDirectory(store: store), limits: engine.engine.requestLimits,
            options: options, eventLoopGroup: engine.engine.eventLoopGroup, taskExecutor: engine.engine.taskExecutor,
            logger: TestEngine.logger()
        ) { _, port in continuation.yield(port) }
        let group = ServiceGroup(configuration: .init(services: [gateway], logger: TestEngine.logger()))
        let known = keys
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            guard let port = await iterator.next() else { throw TestFailure("the gateway does not listen") }
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(try await body(ServedEngine(engine: engine, port: port, keys: known)))
            } catch {
                outcome = .failure(error)
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            try outcome.get()
        }
    }
}
