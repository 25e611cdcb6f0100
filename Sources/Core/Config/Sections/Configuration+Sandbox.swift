extension Configuration {
    /// What a sandbox is made of where the job or its pool class does not say.
    public struct Sandbox: Sendable, Hashable {
        /// The image of jobs that name none.
        public var image = "slipway/python:3.11"
        /// The user ids that sandboxes get, several for each.
        public var userRange = IDRange(first: 20_000, count: 40_000)
        /// The group ids that environments get.
        public var groupRange = IDRange(first: 60_001, count: 5_000)
        /// The network of a sandbox.
        public var network = NetworkMode.none
        /// The processors a sandbox may use.
        public var cpus = 1.0
        /// Whether the sandbox of a task that keeps processors busy is kept to as many of them as it may use.
        public var pinBusy = true
        /// The memory of a sandbox; swap is never added to it.
        public var memoryBytes = Int.mebibytes(512)
        /// The processes and threads of a sandbox.
        public var pids = 128
        /// The size of `/tmp`.
        public var tmpBytes = Int.mebibytes(256)
        /// The size of `/dev/shm`.
        public var shmBytes = Int.mebibytes(64)
        /// The files that one process may have open.
        public var openFiles = 1024
        /// The seccomp profile; nil for the Docker engine's own.
        public var seccomp: String?
        /// How readily the kernel kills a sandbox when the machine runs out of memory.
        public var oomScoreAdj = 0
        /// The images that jobs may name, as patterns.
        public var imageAllow = ["*"]
        /// The folders of the host that jobs may mount, each with everything below it.
        public var mountAllow: [String] = []
        /// Those of them, or below them, that jobs may mount writable.
        public var mountWritable: [String] = []
        /// Environment variables that jobs may not set, beside the built-in ones.
        public var envDeny: [String] = []

        /// The network of a sandbox.
        public enum NetworkMode: String, Sendable, CaseIterable {
            /// Only the sandbox's own loopback.
            case none
            /// Public addresses, by a network of the tenant's own; see the section `network`.
            case egress
            /// The host's ports that `network.host_ports` names, and nothing else.
            case hostGateway = "host_gateway"
            /// The Docker engine's default bridge: the internet, the host and other containers can be reached.
            case bridge
        }

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Sandbox: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "image", \.image, .image,
            "Image of jobs that name none. It needs a Python 3.8 or later.",
            tune: "Name an image of your own that has what most tasks need, and no install is waited for.")
        Field.section(
            "user_range", \.userRange,
            "User ids for the sandboxes. Each sandbox takes several that no other has, since process limits count "
                + "by user across containers: one, and two for each of its slots, rounded up to a multiple of 4. So count "
                + "is at least 4, and more with slots, and bounds how many sandboxes can live at once.")
        Field.section(
            "group_range", \.groupRange,
            "Group ids for the environments: a sandbox reads those of its tenant only. Each tenant that has run a job "
                + "in a container, or installed requirements, keeps its id for good: count bounds how many such tenants "
                + "there can ever be.")
        Field.value(
            "network", \.network, .choice,
            "Network of jobs that name none. none: the sandbox's own loopback only. egress: public addresses only. "
                + "host_gateway: the ports of network.host_ports only. bridge: Docker's default bridge.",
            tune: "Leave it at none and list what jobs may ask for in network.allow. bridge lets tasks reach the host, "
                + "private networks and each other: for trusted tasks only.")
        Field.value(
            "cpus", \.cpus, .number(0.01...1024),
            "Processors that a sandbox may use, also in part.",
            tune: "Raise it for tasks with threads or subprocesses; several small sandboxes usually do more.",
            fallback: "DOCKER_CPU_LIMIT")
        Field.value(
            "pin_busy", \.pinBusy, .bool,
            "Whether the sandbox of a task that keeps processors busy is kept to as many of them as cpus says, so that "
                + "the short tasks of its neighbours find another one free. Not sandboxes with GPUs.",
            tune: "Turn it off where the machine's processors are assigned by other means.")
        Field.value(
            "memory", \.memoryBytes, .size(.mebibytes(32) ... .tebibytes(64)),
            "Memory of a sandbox, tmpfs included. No swap is added. A task that needs more ends as oom.",
            tune: "Raise it for tasks with large data, lower it to fit more warm sandboxes.",
            fallback: "DOCKER_MEM_LIMIT")
        Field.value(
            "pids", \.pids, .integer(16...4_194_304),
            "Processes and threads that a sandbox may have.",
            tune: "Raise it when numerical libraries fail to start their threads.")
        Field.value(
            "tmp", \.tmpBytes, .size(.mebibytes(1) ... .tebibytes(1)),
            "Size of /tmp, the only writable folder. What lies in it counts as memory.",
            tune: "Raise it together with memory for tasks that write large files.")
        Field.value(
            "shm", \.shmBytes, .size(.kibibytes(64) ... .tebibytes(1)),
            "Size of /dev/shm.",
            tune: "Raise it for tasks that share arrays between processes, such as data loaders.")
        Field.value(
            "open_files", \.openFiles, .integer(64...1_048_576),
            "Files that one process may have open. Lowered to what the host allows.",
            tune: "Raise it for tasks with many sockets or files.")
        Field.value(
            "seccomp", \.seccomp, .optional(.path, null: "the container engine's default profile, narrowed on Podman"),
            "File with a seccomp profile.",
            tune: "Set it to forbid more system calls than the engine does. It cannot switch the filter off.")
        Field.value(
            "oom_score_adj", \.oomScoreAdj, .integer(0...1000),
            "How readily the kernel kills a sandbox when the whole machine runs out of memory.",
            tune: "Raise it so that tasks die before the machine's other services do.")
        Field.value(
            "image_allow", \.imageAllow,
            .list(.text("a pattern such as registry.example.org/team/*", max: 512), max: 1000),
            "Images that jobs may name. * stands for any characters. A registry that is an address, has a port or is not "
                + "public is asked for images only where a pattern begins with its name, such as registry:5000/*.",
            tune: "List your own images when keys are given to strangers, and your own registries.")
        Field.value(
            "mount_allow", \.mountAllow, .list(.path, max: 1000),
            "Folders of the host that jobs may mount, each with everything below it.",
            tune: "List data folders that tasks may read. Never list / or a folder with secrets.")
        Field.value(
            "mount_writable", \.mountWritable, .list(.path, max: 1000),
            "Folders that jobs may mount writable, each with everything below it; they must be in mount_allow, too.",
            tune: "List folders where tasks leave files. What one task writes there stays, and every later one of the "
                + "folder sees it; it belongs to a user of sandbox.user_range, seldom the same for two tasks.")
        Field.value(
            "env_deny", \.envDeny, .list(.variable, max: 1000),
            "Environment variables that jobs may not set, beside the built-in ones such as LD_PRELOAD.",
            tune: "Add variables that change how programs in your images start.")
    }

    package func check() -> [ConfigurationConflict] {
        guard mountAllow.contains("/") else { return [] }
        return [.init("mount_allow", message: "must not hold /: name the folders that jobs may see")]
    }
}
