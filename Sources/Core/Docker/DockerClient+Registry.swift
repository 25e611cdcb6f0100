extension DockerClient {
    /// `POST /auth`: has the engine try credentials at their registry.
    ///
    /// - Throws: `EngineError` that tells refused credentials from a registry that cannot be reached.
    package func tryCredentials(_ credentials: RegistryCredentials) async throws {
        var call = try DockerCall(
            action: "log in to the registry \(credentials.server)", method: "POST", path: "/auth", retry: .never
        ).sending(json: LoginBody(credentials))
        call.accepts = [401, 403]
        let response = try await send(call)
        guard [401, 403].contains(response.head.status) else { return }
        let problem = DockerAPIError(status: response.head.status, body: response.body)
        throw EngineError(
            .notAllowed, "the registry \(credentials.server) refuses \(credentials.username): \(problem.message)",
            cause: problem)
    }

    private struct LoginBody: Encodable {
        let username: String
        let password: String
        let serveraddress: String

        init(_ credentials: RegistryCredentials) {
            username = credentials.username
            password = credentials.password
            serveraddress = credentials.server
        }
    }
}
