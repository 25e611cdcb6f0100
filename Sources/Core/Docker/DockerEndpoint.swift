/// Where a container engine listens.
package struct DockerEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// The kinds of address that are understood.
    package enum Address: Sendable, Hashable {
        case unix(path: String)
        case tcp(host: String, port: Int)
    }

    package let address: Address
    /// Certificates, for `tcp` only; nil for plain HTTP.
    package let tls: CurlTLS?

    /// The socket that the distribution's engine listens on.
    package static let defaultText = "unix:///var/run/docker.sock"

    package init(address: Address, tls: CurlTLS? = nil) {
        self.address = address
        self.tls = tls
    }

    /// Reads an address in the form that `DOCKER_HOST` has: `unix:///path` or `tcp://host[:port]`.
    ///
    /// - Throws: `EngineError` with code `configuration`, which says what would be right.
    package init(parsing text: String, tls: CurlTLS? = nil) throws {
        if let path = text.removingPrefix("unix://") {
            guard path.hasPrefix("/") else { throw Self.unreadable(text, "a unix socket needs an absolute path") }
            guard path.utf8.count < 108 else {
                throw Self.unreadable(text, "a unix socket's path has at most 107 bytes")
            }
            self.init(address: .unix(path: path))
        } else if let rest = text.removingPrefix("tcp://") ?? text.removingPrefix("https://") {
            let secure = tls ?? (text.hasPrefix("https://") ? CurlTLS() : nil)
            let (host, port) = try Self.hostAndPort(rest, defaultPort: secure == nil ? 2375 : 2376, whole: text)
            self.init(address: .tcp(host: host, port: port), tls: secure)
        } else if text.hasPrefix("ssh://") {
            throw Self.unreadable(text, "ssh is not supported: forward the engine's socket (ssh -L) and name that")
        } else {
            throw Self.unreadable(text, "expected unix:///path or tcp://host:port")
        }
    }

    /// The endpoint to use: the configured one, else the environment's, else the distribution's socket.
    ///
    /// `DOCKER_HOST`, `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` mean what they mean to the docker command.
    package static func resolve(configured: String?, environment: [String: String]) throws -> DockerEndpoint {
        let text = [configured, environment["DOCKER_HOST"]].compactMap { $0 }.first { !$0.isEmpty } ?? defaultText
        let verifies = !(environment["DOCKER_TLS_VERIFY"] ?? "").isEmpty
        guard let folder = environment["DOCKER_CERT_PATH"], !folder.isEmpty else {
            return try DockerEndpoint(parsing: text, tls: verifies ? CurlTLS() : nil)
        }
        let tls = CurlTLS(
            trustedCertificatesPath: folder + "/ca.pem", clientCertificatePath: folder + "/cert.pem",
            clientKeyPath: folder + "/key.pem", verifiesPeer: verifies)
        return try DockerEndpoint(parsing: text, tls: tls)
    }

    /// The endpoint that a configuration names, with its certificates.
    package static func resolve(
        _ docker: Configuration.Docker, environment: [String: String]
    ) throws -> DockerEndpoint {
        let resolved = try resolve(configured: docker.host, environment: environment)
        guard docker.tlsCA != nil || docker.tlsCert != nil else { return resolved }
        return DockerEndpoint(
            address: resolved.address,
            tls: CurlTLS(
                trustedCertificatesPath: docker.tlsCA, clientCertificatePath: docker.tlsCert,
                clientKeyPath: docker.tlsKey))
    }

    package var description: String {
        switch address {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }

    /// Whether the engine runs on this machine as far as the address tells.
    package var isLocal: Bool {
        if case .unix = address { true } else { false }
    }

    var origin: CurlOrigin {
        switch address {
        case .unix(let path): return CurlOrigin(base: "http://localhost", unixSocketPath: path)
        case .tcp(let host, let port):
            let name = host.contains(":") ? "[\(host)]" : host
            return CurlOrigin(base: "\(tls == nil ? "http" : "https")://\(name):\(port)", tls: tls)
        }
    }

    private static func hostAndPort(_ text: String, defaultPort: Int, whole: String) throws -> (String, Int) {
        let text = text.hasSuffix("/") ? String(text.dropLast()) : text
        var host = text[...]
        var port = defaultPort
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if !rest.isEmpty { port = try portNumber(rest.dropFirst(), rest.first == ":", whole) }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = try portNumber(text[text.index(after: colon)...], true, whole)
        }
        let allowed = host.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte & 0xdf) || [0x2d, 0x2e, 0x3a].contains(byte)
        }
        guard !host.isEmpty, allowed else { throw unreadable(whole, "the host is missing or has odd characters") }
        return (String(host), port)
    }

    private static func portNumber(_ text: Substring, _ hasColon: Bool, _ whole: String) throws -> Int {
        guard hasColon, let port = Int(text), (1...65_535).contains(port) else {
            throw unreadable(whole, "the port is not a number from 1 to 65535")
        }
        return port
    }

    private static func unreadable(_ text: String, _ reason: String) -> EngineError {
        EngineError(.configuration, "the container engine's address \"\(text)\" is not usable: \(reason)")
    }
}

extension String {
    fileprivate func removingPrefix(_ prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
