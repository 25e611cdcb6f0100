import Foundation

/// What a registry wants to know of its client.
package struct RegistryCredentials: Sendable {
    package var username: String
    package var password: String
    package var server: String

    package init(username: String, password: String, server: String) {
        self.username = username
        self.password = password
        self.server = server
    }

    /// The value of the header `X-Registry-Auth`: JSON in the base64 of URLs.
    var header: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("username")
            writer.value(username)
            writer.name("password")
            writer.value(password)
            writer.name("serveraddress")
            writer.value(server)
        }
        return Data(writer.bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
    }
}

/// The credentials of registries: those of the configuration, else those of Docker's own `config.json`.
///
/// They are read when they are needed and kept nowhere.
package struct RegistryDirectory: Sendable {
    /// The name under which Docker keeps the credentials of its own registry.
    private static let dockerHub = "https://index.docker.io/v1/"

    private let registries: [RegistryAccess]
    private let environment: [String: String]

    package init(_ registries: [RegistryAccess], environment: [String: String]) {
        self.registries = registries
        self.environment = environment
    }

    /// What to tell a registry; nil where nothing is known.
    ///
    /// - Throws: `.configuration` where the configuration names a password that cannot be read.
    package func credentials(for registry: String) throws -> RegistryCredentials? {
        guard let known = registries.first(where: { $0.host == registry }) else { return docker(registry) }
        let password = known.password.map { source in
            SecretDirectory(["password": source], environment: environment).value(of: "password") ?? ""
        }
        guard let password, !password.isEmpty else {
            throw EngineError(
                .configuration,
                "the password for the registry \(registry) is empty or cannot be read: see images.registries")
        }
        return RegistryCredentials(username: known.username, password: password, server: Self.server(registry))
    }

    /// Whether the configuration names credentials for a registry.
    package func names(_ registry: String) -> Bool { registries.contains { $0.host == registry } }

    /// Docker's own file; helpers that keep credentials elsewhere are not asked.
    private func docker(_ registry: String) -> RegistryCredentials? {
        let folder = environment["DOCKER_CONFIG"] ?? environment["HOME"].map { $0 + "/.docker" }
        // A file that is missing or has another form holds no credentials for us.
        guard let folder, let data = FileManager.default.contents(atPath: folder + "/config.json"),
            let auths = (try? JSONValue(parsing: Array(data)))?["auths"],
            let entry = auths[Self.server(registry)] ?? auths["https://" + registry],
            case .string(let encoded)? = entry["auth"], let pair = Data(base64Encoded: encoded)
        else { return nil }
        let parts = String(decoding: pair, as: UTF8.self).split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        return RegistryCredentials(
            username: String(parts[0]), password: String(parts[1]), server: Self.server(registry))
    }

    private static func server(_ registry: String) -> String {
        registry == ImageName.defaultRegistry ? dockerHub : registry
    }
}
