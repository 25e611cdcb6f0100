import ArgumentParser
import Foundation
import ServiceLifecycle
import SlipwayCore
import SlipwayGateway

/// Serves the REST gateway.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the REST gateway until SIGTERM or Ctrl-C, then drain.")

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Listen on this address.")
    var host: String?

    @Option(name: .long, help: "Listen on this port; 0 takes any free one.")
    var port: Int?

    func run() async throws {
        var configuration = try common.configuration()
        if let host { configuration.gateway.host = host }
        if let port { configuration.gateway.port = port }
        let logger = common.logger(configuration)
        let engine = try await Engine(configuration: configuration, logger: logger)
        let keys = StoreKeyDirectory(store: engine.store)
        let fallback = configuration.data.directoryPath() + "/credentials"
        let isJSON = common.json
        let gateway = GatewayService(
            service: engine, keys: keys, limits: engine.requestLimits, options: GatewayOptions(configuration),
            eventLoopGroup: engine.eventLoopGroup, taskExecutor: engine.taskExecutor, logger: logger
        ) { host, port in
            await announce(keys, host: host, port: port, fallback: fallback, isJSON: isJSON)
        }
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: engine), .init(service: gateway)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    @Sendable
    private func announce(
        _ keys: StoreKeyDirectory, host: String, port: Int, fallback: String, isJSON: Bool
    ) async {
        let shown = host.contains(":") ? "[\(host)]" : host
        let url = "http://\(shown):\(port)"
        do {
            let credentials = try await keys.prepareDefaultTenant(
                url: url, credentialsPath: Credentials.defaultPath(), fallbackPath: fallback)
            if isJSON {
                print("{\"url\":\"\(url)\",\"credentials\":\"\(credentials.path)\"}")
            } else {
                print("slipway \(slipwayVersion) listens on \(url)")
                print("the key of the default tenant is in \(credentials.path)")
            }
        } catch {
            FileHandle.standardError.write(Data("slipway: the default key could not be made: \(error)\n".utf8))
        }
        fflush(nil)
    }
}
