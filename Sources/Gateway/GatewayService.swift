import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import SlipwayCore

/// The REST gateway as a service: it listens until its group shuts down gracefully, then ends what it has begun.
///
/// With an engine of its own it first has that drain: meanwhile submits are refused with 503, and reads go on.
///
/// ```swift
/// let engine = try await Engine(configuration: configuration)
/// let gateway = GatewayService(engine: engine, logger: logger)
/// let group = ServiceGroup(services: [engine, gateway], gracefulShutdownSignals: [.sigterm], logger: logger)
/// try await group.run()
/// ```
///
/// Requests need API keys of the engine's tenants: see ``TenantDirectory``.
public struct GatewayService: Service {
    private let routes: GatewayRoutes
    private let eventLoopGroup: any EventLoopGroup
    private let taskExecutor: (any TaskExecutor)?
    private let logger: Logger
    /// Awaited before the gateway ends; nil where nothing has to come to its end first.
    private let drain: (@Sendable () async -> Void)?
    private let onListening: @Sendable (_ host: String, _ port: Int) async -> Void

    /// Makes a gateway for an engine.
    ///
    /// - Parameters:
    ///   - engine: The engine behind it, which its owner starts and shuts down. Connections run on its event loop. When
    ///     the gateway's group shuts down gracefully, it takes no more jobs.
    ///   - options: Where to listen and what to take at most; as the engine's configuration has it unless given.
    ///   - logger: Where requests that fail are noted.
    ///   - onListening: Called with the address, and the port that was taken, once connections are accepted.
    public init(
        engine: Engine, options: GatewayOptions? = nil, logger: Logger = Logger(label: "slipway"),
        onListening: @escaping @Sendable (_ host: String, _ port: Int) async -> Void = { _, _ in }
    ) {
        self.init(
            service: engine, keys: StoreKeyDirectory(store: engine.store), tenants: TenantDirectory(engine: engine),
            limits: engine.requestLimits, options: options ?? GatewayOptions(engine.configuration),
            eventLoopGroup: engine.eventLoopGroup, taskExecutor: engine.taskExecutor, logger: logger,
            onListening: onListening, drain: { await engine.drain() })
    }

    /// Makes a gateway for anything that takes jobs.
    ///
    /// - Parameters:
    ///   - service: The engine behind it.
    ///   - keys: Where keys are looked up.
    ///   - tenants: The tenants to administer; their routes do not exist without.
    ///   - limits: What jobs may ask for; used to report all faults of a request at once.
    ///   - options: Where to listen and what to take at most.
    ///   - eventLoopGroup: The loops that connections run on; the engine's own, to save thread hops.
    ///   - taskExecutor: The executor that handlers run on; the engine's own, for the same reason.
    ///   - onListening: Called with the address once connections are accepted.
    ///   - drain: Awaited on a graceful shutdown, before the gateway stops to listen.
    package init(
        service: any JobService, keys: any KeyDirectory, tenants: TenantDirectory? = nil,
        limits: RequestLimits = RequestLimits(), options: GatewayOptions = GatewayOptions(),
        eventLoopGroup: any EventLoopGroup, taskExecutor: (any TaskExecutor)? = nil, logger: Logger,
        onListening: @escaping @Sendable (_ host: String, _ port: Int) async -> Void = { _, _ in },
        drain: (@Sendable () async -> Void)? = nil
    ) {
        routes = GatewayRoutes(service: service, keys: keys, tenants: tenants, limits: limits, options: options)
        self.eventLoopGroup = eventLoopGroup
        self.taskExecutor = taskExecutor
        self.logger = logger
        self.drain = drain
        self.onListening = onListening
    }

    /// Listens until the task is cancelled or its group shuts down gracefully.
    ///
    /// Either way requests that have begun are answered; after a cancellation they have ``GatewayOptions/endTimeout`` for it.
    ///
    /// - Throws: ``EngineError`` of code `configuration` when the address cannot be listened on.
    public func run() async throws {
        let group = ServiceGroup(configuration: .init(services: [.init(service: application())], logger: logger))
        // A task of its own, awaited below: a cancellation would break off what is being answered, and the server
        // would call that an error. A graceful shutdown must not reach it either before everything is drained.
        let serving = Task.detached { [taskExecutor] in
            try await withTaskExecutorPreference(taskExecutor) { try await group.run() }
        }
        let patience = routes.options.endTimeout
        do {
            try await withTaskCancellationHandler {
                try await withGracefulShutdownHandler {
                    try await serving.value
                } onGracefulShutdown: { [drain] in
                    Task {
                        await drain?()
                        await group.triggerGracefulShutdown()
                    }
                }
            } onCancel: {
                Task {
                    await group.triggerGracefulShutdown()
                    try await Task.sleep(for: patience)
                    serving.cancel()
                }
            }
        } catch let error as IOError {
            let options = routes.options
            throw EngineError(
                .configuration,
                "Cannot listen on \(options.host):\(options.port): change gateway.host or gateway.port.", cause: error)
        }
    }

    /// The methods and paths that exist, such as `GET /v1/jobs/{id}`.
    package static var routeList: [String] {
        GatewayRoutes.declarations.map { "\($0.method.rawValue) \($0.pattern)" }
    }

    private func application() -> Application<GatewayResponder> {
        let options = routes.options
        let onListening = onListening
        let connections = Connections()
        return Application(
            responder: GatewayResponder(routes: routes, connections: connections),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [ConnectionGuard(options: options, connections: connections)],
                    idleTimeout: TimeAmount(options.idleTimeout),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: options.headerBytesMax, maxHeaderListSize: options.headerBytesMax,
                        maxHeaderFieldCount: options.headerCountMax))),
            configuration: ApplicationConfiguration(
                address: .hostname(options.host, port: options.port),
                availableConnectionsDelegate: MaximumAvailableConnections(options.connectionsMax, logger: logger)),
            onServerRunning: { channel in
                await onListening(options.host, channel.localAddress?.port ?? options.port)
            },
            eventLoopGroupProvider: .shared(eventLoopGroup),
            logger: logger)
    }
}
