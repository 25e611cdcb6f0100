extension EngineAssembly {
    /// What installs environments: in containers where there is a container engine, else as a local process.
    func environmentStore(
        _ folders: EngineFolders, engineID: String, client: DockerClient?, networks: EgressNetworks?
    ) async throws -> EnvironmentStore {
        var options = EnvironmentOptions(
            configuration: configuration, dataFolder: folders.data.path, engineID: engineID, environment: environment)
        options.seccompProfile = try seccompProfile()
        if let client { options.sharesFolders = configuration.docker.sharesFolders(with: client.endpoint) }
        var builders: [any EnvironmentBuilder] = [ProcessEnvironmentBuilder(options: options)]
        if let client {
            builders.append(
                DockerEnvironmentBuilder(
                    client: client, options: options, networks: networks, logger: logger))
        }
        return try await EnvironmentStore(options: options, builders: builders, logger: logger)
    }
}
