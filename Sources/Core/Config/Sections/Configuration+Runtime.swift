extension Configuration {
    /// Which runtime makes sandboxes.
    public struct Runtime: Sendable, Hashable {
        /// The runtime of jobs that name none.
        public var `default` = Choice.auto
        /// The OCI runtime that the Docker engine uses for sandboxes; nil for the engine's own default.
        public var ociRuntime: String?
        /// The interpreter of the process runtime, a path or a name in `PATH`.
        public var python = "python3"
        /// Whether the process runtime serves tenants marked as trusted only.
        public var trustedTenantsOnly = true

        /// A runtime by name, or the choice between them.
        public enum Choice: String, Sendable, CaseIterable {
            /// Docker where an engine is named or its socket is there, answering or not, else local processes.
            case auto
            /// Containers of a Docker engine.
            case docker
            /// Processes of this machine, which are no security boundary.
            case process
        }

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Runtime: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "default", \.default, .choice,
            "Where jobs run that name no runtime. auto: docker where docker.host or DOCKER_HOST names an engine or the "
                + "default socket is there, whether it answers or not, else process.",
            tune: "Write docker on a server, so that a missing engine is an error and never a weaker sandbox.")
        Field.value(
            "oci_runtime", \.ociRuntime,
            .optional(
                .word("the name of a runtime that the Docker engine knows", extra: "._-/"),
                null: "the Docker engine's own default"),
            "OCI runtime for the containers, such as runsc for gVisor. Podman takes its own: see setup.md.",
            tune: "Name a stronger sandbox when tasks come from strangers; each start then takes longer.")
        Field.value(
            "python", \.python, .text("the path or the name of a Python interpreter", max: 1024),
            "Python interpreter of the process runtime.",
            tune: "Point it at a virtual environment when tasks need packages without containers.")
        Field.value(
            "trusted_tenants_only", \.trustedTenantsOnly, .bool,
            "Whether the process runtime, which is no security boundary, refuses all tenants but default.",
            tune: "Leave it on, unless everybody with a key may run anything as the engine's user.")
    }
}
