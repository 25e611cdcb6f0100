import Synchronization

extension DockerRuntime {
    /// Creates the container of a sandbox; an engine that refuses an option which it can do without is asked again.
    func create(
        _ name: String, _ specification: SandboxSpecification, _ network: EgressNetworks.Network?
    ) async throws -> DockerClient.CreateOutcome {
        try await tellOfFilter()
        do {
            return try await client.createContainer(name: name, container(for: specification, in: network))
        } catch let error as EngineError where error.message.contains("nr_inodes") {
            guard !lacksInodeLimit.exchange(true, ordering: .relaxed) else { throw error }
            // The memory limit bounds them where it counts kernel memory.
            logger.warning("the container engine cannot limit how many files the /tmp of a sandbox holds")
            return try await client.createContainer(name: name, container(for: specification, in: network))
        }
    }

    /// Tells once that sandboxes may make user namespaces, where Podman's own filter of system calls is all they have.
    private func tellOfFilter() async throws {
        guard options.seccompProfile == nil, !toldOfFilter.load(ordering: .relaxed),
            let reason = try await client.openFilterReason(), !toldOfFilter.exchange(true, ordering: .relaxed)
        else { return }
        logger.warning(
            "Podman's own seccomp profile lets tasks make user namespaces; docs/setup.md says how to name a narrower one",
            metadata: ["reason": "\(reason)"])
    }
}
