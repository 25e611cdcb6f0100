extension DockerClient {
    /// `GET /images/{name}/json`: an image's id and defaults; nil when the engine does not have it.
    package func inspectImage(_ reference: String) async throws -> ImageDetails? {
        let call = DockerCall(
            action: "inspect image \(reference)", path: DockerPath.image(reference, "/json"), accepts: [404],
            retry: .always)
        let response = try await send(call)
        return response.head.status == 404 ? nil : try decode(ImageDetails.self, response, call)
    }

    /// `POST /images/{name}/tag`: gives an image another name.
    package func tagImage(_ reference: String, repository: String, tag: String) async throws {
        let call = DockerCall(
            action: "tag image \(reference)", method: "POST", path: DockerPath.image(reference, "/tag"),
            query: [("repo", repository), ("tag", tag)], retry: .whenUnanswered)
        _ = try await send(call)
    }

    /// `DELETE /images/{name}`: removes a name, and the image with its last one.
    ///
    /// - Returns: false when there was none.
    @discardableResult
    package func removeImage(_ reference: String) async throws -> Bool {
        let call = DockerCall(
            action: "remove image \(reference)", method: "DELETE", path: DockerPath.image(reference, ""),
            accepts: [404], retry: .always, timeouts: slowTimeouts)
        return try await send(call).head.status != 404
    }
}

/// The answer of `GET /images/{name}/json`, as far as it is used.
package struct ImageDetails: Sendable, Decodable {
    /// `sha256:...`: what names the content.
    package let id: String
    package let names: [String]
    /// `name@sha256:...`; empty for images that never saw a registry.
    package let digests: [String]
    package let architecture: String
    package let operatingSystem: String
    package let user: String
    package let environment: [String]
    package let entrypoint: [String]
    package let command: [String]
    package let workingDirectory: String
    package let labels: [String: String]
    /// Paths that stay writable under a read-only root unless they are covered by a mount.
    package let volumes: [String]

    private enum Key: String, CodingKey {
        case id = "Id"
        case names = "RepoTags"
        case digests = "RepoDigests"
        case architecture = "Architecture"
        case operatingSystem = "Os"
        case config = "Config"
    }

    private struct Config: Decodable {
        struct Nothing: Decodable {}

        let user: String?
        let environment: [String]?
        let entrypoint: [String]?
        let command: [String]?
        let workingDirectory: String?
        let labels: [String: String]?
        let volumes: [String: Nothing]?

        enum CodingKeys: String, CodingKey {
            case user = "User"
            case environment = "Env"
            case entrypoint = "Entrypoint"
            case command = "Cmd"
            case workingDirectory = "WorkingDir"
            case labels = "Labels"
            case volumes = "Volumes"
        }
    }

    package init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        id = try object.decode(String.self, forKey: .id)
        names = try object.decodeIfPresent([String].self, forKey: .names) ?? []
        digests = try object.decodeIfPresent([String].self, forKey: .digests) ?? []
        architecture = try object.decodeIfPresent(String.self, forKey: .architecture) ?? ""
        operatingSystem = try object.decodeIfPresent(String.self, forKey: .operatingSystem) ?? ""
        let config = try object.decodeIfPresent(Config.self, forKey: .config)
        user = config?.user ?? ""
        environment = config?.environment ?? []
        entrypoint = config?.entrypoint ?? []
        command = config?.command ?? []
        workingDirectory = config?.workingDirectory ?? ""
        labels = config?.labels ?? [:]
        volumes = (config?.volumes ?? [:]).keys.sorted()
    }
}
