extension EngineAssembly {
    /// What installs environments, and the host's folder that sandboxes see.
    struct Environments {
        var provider: (any EnvironmentProvider)?
        var folder: String?
    }

    func environmentStore(
        _ folders: EngineFolders, engineID: String, client: DockerClient?
    ) async throws -> Environments {
        Environments(provider: nil, folder: nil)
    }
}
