import SlipwayCore

extension DockerClient {
    /// Runs `body` with a client that is shut down after it.
    package static func with<Value>(
        _ endpoint: DockerEndpoint, isolation: isolated (any Actor)? = #isolation,
        _ body: (DockerClient) async throws -> Value
    ) async throws -> Value {
        let client = DockerClient(endpoint: endpoint)
        do {
            let value = try await body(client)
            await client.shutdown()
            return value
        } catch {
            await client.shutdown()
            throw error
        }
    }
}
