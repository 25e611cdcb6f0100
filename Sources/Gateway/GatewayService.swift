import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import SlipwayCore

/// The REST gateway as a service: it listens until its group shuts down gracefully, then ends what it has begun.
package struct GatewayService: Service {
    private let routes: GatewayRoutes
    private let keys: any KeyDirectory
    private let eventLoopGroup: any EventLoopGroup
    private let taskExecutor: (any TaskExecutor)?
    private let logger: Logger
    private let onListening: @Sendable (_ host: String, _ port: Int) async -> Void

    /// Makes a gateway.
    ///
    /// - Parameters:
    ///   - service: The engine behind it.
    ///   - keys: Where keys are looked up.
    ///   - limits: What jobs may ask for; used to report all faults of a request at once.
    ///   - options: Where to listen and what to take at most.
    ///   - eventLoopGroup: The loops that connections run on; the engine's own, to save thread hops.
    ///   - taskExecutor: The executor that handlers run on; the engine's own, for the same reason.
    ///   - onListening: Called with the address once connections are accepted.
    package init(
        service: any JobService, keys: any KeyDirectory, limits: RequestLimits = RequestLimits(),
        options: GatewayOptions = GatewayOptions(), eventLoopGroup: any EventLoopGroup,
        taskExecutor: (any TaskExecutor)? = nil, logger: Logger,
        onListening: @escaping @Sendable (_ host: String, _ port: Int) async -> Void = { _, _ in }
    ) {
        routes = GatewayRoutes(service: service, limits: limits, options: options)
        self.keys = keys
        self.eventLoopGroup = eventLoopGroup
        self.taskExecutor = taskExecutor
        self.logger = logger
        self.onListening = onListening
    }

    /// Listens until the task is cancelled or its group shuts down gracefully.
    ///
    /// - Throws: ``EngineError`` of code `configuration` when the address cannot be listened on.
    package func run() async throws {
        let application = application()
        do {
            try await withTaskExecutorPreference(taskExecutor) { try await application.run() }
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
            responder: GatewayResponder(routes: routes, keys: keys, connections: connections),
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
