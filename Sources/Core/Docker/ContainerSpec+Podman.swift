extension ContainerSpec {
    /// Limits of which Podman is told where there are none of ours.
    ///
    /// It sets them in any case, otherwise so high that a service which may not raise limits cannot set them. That of
    /// processes counts those of one user.
    private static let podmanLimits = [
        UserLimit(name: "nproc", soft: 32_768, hard: 32_768), UserLimit(name: "nofile", soft: 16_384, hard: 16_384),
    ]

    /// The same for Podman.
    ///
    /// It has no log driver `local`, and refuses containers that name it; its `k8s-file` is as bounded, and is read back
    /// alike.
    ///
    /// - Throws: `EngineError` with code `startFailed` for what Podman would take and ignore.
    func adaptedToPodman() throws -> ContainerSpec {
        if let runtime {
            throw EngineError(
                .startFailed,
                "Podman runs a container with its own OCI runtime, whatever its Docker-compatible socket is asked for: "
                    + "name \"\(runtime)\" as runtime in the section [engine] of its containers.conf, and remove "
                    + "runtime.oci_runtime")
        }
        guard deviceRequests.isEmpty else {
            throw EngineError(
                .startFailed,
                "Podman gives a container no GPU over its Docker-compatible socket: run jobs with resources.gpus on "
                    + "Docker (docker.host)")
        }
        var spec = self
        if let driver = logDriver, driver.type == "local" {
            spec.logDriver = LogDriver(
                type: "k8s-file", options: driver.options.filter { $0.key == "max-size" })
        }
        let known = Set(userLimits.map(\.name))
        spec.userLimits += Self.podmanLimits.filter { !known.contains($0.name) }
        return spec
    }
}
