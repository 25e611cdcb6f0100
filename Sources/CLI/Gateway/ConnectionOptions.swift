import ArgumentParser
import Foundation
import SlipwayCore
import SlipwayGateway

/// Options that say which gateway is meant.
struct ConnectionOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Address of the gateway. Otherwise $SLIPWAY_URL, or the one in the credentials file.", valueName: "url"))
    var url: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Key of the gateway; others on this machine can see it in the list of processes. Otherwise $SLIPWAY_KEY, "
                + "or the one in the credentials file.", valueName: "key"))
    var key: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Take address and key from this file, which `serve` has written.", valueName: "file"))
    var credentials: String?

    /// A client of the gateway that options, environment or the credentials file name.
    ///
    /// - Throws: ``CommandExit`` when no gateway or no key is known.
    func client(_ common: CommonOptions) throws -> GatewayClient {
        let environment = ProcessInfo.processInfo.environment
        // A file that is named outweighs the environment, as any option does.
        let fallback = credentials == nil ? environment : [:]
        let namedURL = try (url ?? fallback["SLIPWAY_URL"]?.nonEmpty).map(Self.checked)
        let namedKey = key ?? fallback["SLIPWAY_KEY"]?.nonEmpty
        let source = KeySource(words: key == nil ? "SLIPWAY_KEY" : "--key")
        if let namedURL, let namedKey { return GatewayClient(url: namedURL, key: namedKey, from: source) }
        let saved = try savedCredentials(common, environment)
        let savedURL = try (saved?.credentials.url).map(Self.checked)
        if let namedKey {
            return GatewayClient(url: try savedURL ?? Self.defaultURL(common), key: namedKey, from: source)
        }
        // A key goes to the gateway that made it and to nobody else.
        if let saved, let savedURL, namedURL == nil || namedURL == savedURL {
            return GatewayClient(url: savedURL, key: saved.credentials.key, from: saved.source)
        }
        if let namedURL {
            throw CommandExit(
                CommandExit.unreachable, "no key for \(namedURL) is known: set SLIPWAY_KEY, or give --key.")
        }
        throw CommandExit(
            CommandExit.unreachable,
            "no gateway is known: start one with `slipway serve`, or set SLIPWAY_URL and SLIPWAY_KEY.")
    }

    /// What `serve` wrote: the user's own file, else the one in the data folder.
    private func savedCredentials(
        _ common: CommonOptions, _ environment: [String: String]
    ) throws -> (credentials: Credentials, source: KeySource)? {
        if let credentials {
            guard let found = try Credentials.load(from: credentials) else {
                throw CommandExit(CommandExit.usage, "there is no credentials file \(credentials).")
            }
            return (found, KeySource(words: credentials))
        }
        let own = Credentials.defaultPath(environment: environment)
        if let found = try Credentials.load(from: own) { return (found, KeySource(words: own, isDefaultFile: true)) }
        let fallback = try common.configuration().data.directoryPath() + "/credentials"
        return try Credentials.load(from: fallback).map { ($0, KeySource(words: fallback)) }
    }

    private static func defaultURL(_ common: CommonOptions) throws -> String {
        let gateway = try common.configuration().gateway
        return "http://\(gateway.host.contains(":") ? "[\(gateway.host)]" : gateway.host):\(gateway.port)"
    }

    private static func checked(_ text: String) throws -> String {
        var text = text
        while text.hasSuffix("/") { text.removeLast() }
        guard let parts = URLComponents(string: text), ["http", "https"].contains(parts.scheme?.lowercased()),
            parts.host?.isEmpty == false, parts.path.isEmpty, parts.query == nil, parts.user == nil
        else {
            throw CommandExit(
                CommandExit.usage, "'\(text)' is no address of a gateway; write it as http://127.0.0.1:7433.")
        }
        return text
    }
}

/// Where the key of a command is from.
struct KeySource: Sendable {
    /// The option, the variable or the file.
    let words: String
    /// Whether it is the user's own file, which nobody named.
    var isDefaultFile = false
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
