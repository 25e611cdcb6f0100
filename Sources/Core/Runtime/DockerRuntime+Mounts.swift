extension DockerRuntime {
    package func resolve(mount: JobRequest.Mount) throws -> JobRequest.Mount {
        var resolved = mount
        resolved.source = try mountPolicy().resolve(source: mount.source, writable: mount.writable)
        return resolved
    }

    /// Sees that the folders of a sandbox that is about to be made still lie where they did at the submit.
    func verifyMounts(of kind: SandboxClass) throws {
        for mount in kind.mounts { try mountPolicy().verify(source: mount.source, writable: mount.writable) }
    }

    /// Sees that a container got these very folders: one could have been replaced by a link at the last moment.
    func verifyMounts(of kind: SandboxClass, in processID: Int32) throws {
        guard !kind.mounts.isEmpty else { return }
        try mountPolicy().verify(kind.mounts) {
            MountPolicy.sight(of: $0.source, at: $0.target, processID: processID)
        }
    }

    private func mountPolicy() throws -> MountPolicy {
        if let policy = options.mounts { return policy }
        throw EngineError(
            .notAllowed, "Folders can be mounted only where the container engine is on the machine of the engine")
    }
}
