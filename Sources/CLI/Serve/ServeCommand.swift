import ArgumentParser
import Foundation
import NIOCore
import ServiceLifecycle
import SlipwayCore
import SlipwayGateway

/// Serves the REST gateway.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the REST gateway until SIGTERM or Ctrl-C, then drain.",
        discussion: """
            Prints its address, and the file with the key that this machine's command line and clients use. After \
            SIGTERM no more jobs are taken; those that run have jobs.drain_timeout to end. SIGHUP reads the \
            configuration again: other pools hold at once, and the log says what needs a restart.
            """)

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: ArgumentHelp("Listen on this address.", valueName: "address"))
    var host: String?

    @Option(name: .long, help: "Listen on this port; 0 takes any free one.")
    var port: Int?

    @Flag(
        name: .long,
        help: "Make one more key for the tenant default, with all scopes, and save it: the way back when all are lost.")
    var newKey = false

    func validate() throws {
        if let port, !(0...65_535).contains(port) {
            throw ValidationError("--port: a port is a number from 0 to 65535.")
        }
    }

    func run() async throws {
        var configuration = try common.configuration()
        configuration.gateway.host = host ?? configuration.gateway.host
        configuration.gateway.port = port ?? configuration.gateway.port
        let logger = common.logger(configuration)
        let engine = try await Engine(configuration: configuration, logger: logger)
        let announcement = Announcement(
            keys: StoreKeyDirectory(store: engine.store),
            fallback: configuration.data.directoryPath() + "/credentials", makesKey: newKey, isJSON: common.json)
        let gateway = GatewayService(engine: engine, logger: logger) { host, port in
            await announcement.make(host: host, port: port)
        }
        let (path, host, port) = (common.configurationPath, host, port)
        let reloads = ReloadService(engine: engine, logger: logger) {
            var configuration = try CommonOptions.load(path)
            configuration.gateway.host = host ?? configuration.gateway.host
            configuration.gateway.port = port ?? configuration.gateway.port
            return configuration
        }
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: engine, failureTerminationBehavior: .gracefullyShutdownGroup),
                    // When the address is taken, the sandboxes that were started meanwhile must be removed again.
                    .init(service: gateway, failureTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: reloads),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
        } catch let error as ServiceGroupError {
            throw CommandExit(CommandExit.unreachable, "\(error)")
        } catch let error as SocketAddressError.UnknownHost {
            throw CommandExit(
                CommandExit.unreachable,
                "Cannot listen on \(error.host):\(error.port): change gateway.host or gateway.port. "
                    + "(\(error.errorDescription))")
        }
    }
}

/// Says where the gateway listens and where its key is.
private struct Announcement: Sendable {
    let keys: StoreKeyDirectory
    let fallback: String
    /// Whether another key is made, whoever has one already.
    let makesKey: Bool
    let isJSON: Bool

    func make(host: String, port: Int) async {
        let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        var key: DefaultKey?
        do {
            key = try await keys.prepareDefaultTenant(
                url: url, credentialsPath: Credentials.defaultPath(), fallbackPath: fallback, makesKey: makesKey)
        } catch {
            // The gateway serves nevertheless: whoever has a key can use it.
            let reason = CommandExit(error)?.message ?? "\(error)"
            Console.note("the key of the default tenant could not be saved: \(reason)")
        }
        if let key { explain(key) }
        do {
            if isJSON {
                let value: JSONValue = ["url": .string(url), "credentials": key?.path.map(JSONValue.string) ?? .null]
                try Console.json(value.serialized())
            } else {
                try Console.line("slipway \(slipwayVersion) listens on \(url)")
                if let path = key?.path { try Console.line("the key of the default tenant is in \(path)") }
            }
        } catch {
            // Nobody reads standard output: the gateway serves nevertheless.
        }
    }

    /// Says what is not as somebody would expect who only knows the user's own credentials file.
    private func explain(_ key: DefaultKey) {
        if let reason = key.reason {
            Console.note(key.path.map { "\(reason): --credentials \($0) takes the key of this one" } ?? reason)
        }
        guard key.path == nil else { return }
        Console.note(
            "no key of this gateway is saved here, and none is made, for it has keys with the scope admin. Whoever has "
                + "one makes another with `slipway keys add --scope admin --scope read --scope submit --save FILE`; "
                + "where all are lost, start with `slipway serve --new-key`")
    }
}
