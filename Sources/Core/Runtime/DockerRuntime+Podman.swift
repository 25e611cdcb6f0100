import Synchronization

extension DockerRuntime {
    /// Creates the container of a sandbox; an engine that refuses an option which it can do without is asked again.
    func create(
        _ name: String, _ specification: SandboxSpecification, _ network: EgressNetworks.Network?
    ) async throws -> DockerClient.CreateOutcome {
        do {
            return try await client.createContainer(name: name, container(for: specification, in: network))
        } catch let error as EngineError where error.message.contains("nr_inodes") {
            guard !lacksInodeLimit.exchange(true, ordering: .relaxed) else { throw error }
            // The memory limit bounds them where it counts kernel memory.
            logger.warning("the container engine cannot limit how many files the /tmp of a sandbox holds")
            return try await client.createContainer(name: name, container(for: specification, in: network))
        }
    }
}
