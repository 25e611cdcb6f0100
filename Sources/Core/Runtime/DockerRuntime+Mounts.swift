extension DockerRuntime {
    package func resolve(mount: JobRequest.Mount) throws -> JobRequest.Mount {
        guard let policy = options.mounts else {
            throw EngineError(
                .notAllowed, "Folders can be mounted only where the container engine is on the machine of the engine")
        }
        var resolved = mount
        resolved.source = try policy.resolve(source: mount.source, writable: mount.writable)
        return resolved
    }

    /// Sees that the folders of a sandbox that is about to be made still lie where they did at the submit.
    func verifyMounts(of kind: SandboxClass) throws {
        for mount in kind.mounts {
            try options.mounts?.verify(source: mount.source, writable: mount.writable)
        }
    }

    /// Sees that a container got these very folders: one could have been replaced by a link at the last moment.
    func verifyMounts(of kind: SandboxClass, in processID: Int32) throws {
        for mount in kind.mounts {
            // Who may not look into other users' processes relies on the check before.
            let isRight = MountPolicy.isMounted(source: mount.source, at: mount.target, processID: processID)
            guard isRight ?? true else {
                throw EngineError(
                    .startFailed,
                    "the folder \(mount.source) was replaced while the sandbox started, or \(mount.target) is a link in "
                        + "the image: nothing of it was used")
            }
        }
    }
}
