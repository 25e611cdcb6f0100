/// A declared class of sandboxes: what they are made of and how they are kept warm.
public struct PoolClass: Sendable, Hashable {
    /// The name, unique among the classes.
    public var name = ""
    /// The image; nil for the sandbox section's.
    public var image: String?
    /// The processors; nil for the sandbox section's.
    public var cpus: Double?
    /// The memory; nil for the sandbox section's.
    public var memoryBytes: Int?
    /// The processes and threads; nil for the sandbox section's.
    public var pids: Int?
    /// The size of `/tmp`; nil for the sandbox section's.
    public var tmpBytes: Int?
    /// The size of `/dev/shm`; nil for the sandbox section's.
    public var shmBytes: Int?
    /// The files that one process may have open; nil for the sandbox section's.
    public var openFiles: Int?
    /// The network; nil for the sandbox section's.
    public var network: Configuration.Sandbox.NetworkMode?
    /// The modules that its sandboxes import before any task comes.
    public var preload: [String] = []
    /// The policy: what the class says over `pools.defaults`.
    public var policy: PoolPolicy

    /// A class that differs in nothing yet from a policy.
    public init(name: String = "", policy: PoolPolicy) {
        self.name = name
        self.policy = policy
    }
}

extension PoolClass: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "name", \.name, .word("a name of letters, digits, - and _", extra: "-_", max: 64),
            "Name of the class, as /v1/pools and the metrics show it.",
            tune: "Choose a name that says what the class is for.", required: true)
        Field.value(
            "image", \.image, .optional(.image, null: "sandbox.image"),
            "Image of the class.", tune: "Name an image with the libraries that its jobs import.")
        Field.value(
            "cpus", \.cpus, .optional(.number(0.01...1024), null: "sandbox.cpus"),
            "Processors of its sandboxes.", tune: "As sandbox.cpus.")
        Field.value(
            "memory", \.memoryBytes,
            .optional(.size(.mebibytes(32) ... .tebibytes(64)), null: "sandbox.memory"),
            "Memory of its sandboxes.", tune: "As sandbox.memory.")
        Field.value(
            "pids", \.pids, .optional(.integer(16...4_194_304), null: "sandbox.pids"),
            "Processes and threads of its sandboxes.", tune: "As sandbox.pids.")
        Field.value(
            "tmp", \.tmpBytes, .optional(.size(.mebibytes(1) ... .tebibytes(1)), null: "sandbox.tmp"),
            "Size of /tmp.", tune: "As sandbox.tmp.")
        Field.value(
            "shm", \.shmBytes, .optional(.size(.kibibytes(64) ... .tebibytes(1)), null: "sandbox.shm"),
            "Size of /dev/shm.", tune: "As sandbox.shm.")
        Field.value(
            "open_files", \.openFiles, .optional(.integer(64...1_048_576), null: "sandbox.open_files"),
            "Files that one process may have open.", tune: "As sandbox.open_files.")
        Field.value(
            "network", \.network, .optional(.choice, null: "sandbox.network"),
            "Network of its sandboxes.", tune: "As sandbox.network.")
        Field.value(
            "preload", \.preload, .list(.module, max: 100),
            "Modules that its sandboxes import before any task comes.",
            tune: "Name what its jobs import and what takes long: numpy alone takes 150 to 200 ms. Its jobs have them "
                + "imported whether they use them or not.")
        PoolPolicy.fields.map { $0.lifted(\.policy) }
    }

    package func check() -> [ConfigurationConflict] {
        policy.check()
    }
}

extension FieldType where Value == String {
    /// The dotted name of a Python module.
    static var module: FieldType {
        text("a module such as numpy or scipy.linalg", max: 200) { text in
            text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
                part.first?.isNumber == false
                    && part.allSatisfy { $0 == "_" || ($0.isASCII && ($0.isLetter || $0.isNumber)) }
            }
        }
    }
}
