/// Everything that can be set about an engine and its gateway.
///
/// `Configuration()` holds the defaults, the ones that the shipped `config.yaml` writes out. Durations are given in
/// files as `30s` or `1h30m`, sizes as `512m` or `2g` in units of 1,024; see `docs/config.md`.
public struct Configuration: Sendable {
    /// Where the engine keeps what must last.
    public var data = Data()
    /// Which runtime makes sandboxes.
    public var runtime = Runtime()
    /// How the Docker engine is reached.
    public var docker = Docker()
    /// Where images come from.
    public var images = Images()
    /// What a sandbox is made of where the job does not say.
    public var sandbox = Sandbox()
    /// What sandboxes reach besides themselves.
    public var network = Network()
    /// The most that one job may ask for.
    public var limits = Limits()
    /// What all sandboxes together may take of the machine.
    public var allocation = Allocation()
    /// What the jobs of one tenant may take together.
    public var tenants = Tenants()
    /// The pools of warm sandboxes.
    public var pools = Pools()
    /// The conversation with the runner in a sandbox.
    public var runner = Runner()
    /// How sets of Python requirements are built and kept.
    public var environments = Environments()
    /// The jobs and their limits.
    public var jobs = Jobs()
    /// The job database.
    public var store = Store()
    /// The GPUs that jobs may ask for.
    public var gpus = GPUs()
    /// The REST gateway.
    public var gateway = Gateway()
    /// The secrets that jobs may ask for, by name.
    public var secrets: [String: SecretSource] = [:]
    /// What is logged.
    public var log = Log()

    /// Things that are odd but no fault, such as environment variables that look like settings and are none.
    public internal(set) var warnings: [ConfigurationFault] = []

    /// The place of each value that is not a default, by its dotted path.
    var marks: [String: YAMLMark] = [:]

    /// A configuration with every value at its default.
    public init() {}
}

extension Configuration: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.section("data", \.data, "Where the engine keeps what must last, and for how long.")
        Field.section("runtime", \.runtime, "Which runtime makes sandboxes.")
        Field.section("docker", \.docker, "How the Docker engine is reached.")
        Field.section("images", \.images, "Where images come from: when they are pulled, and with what credentials.")
        Field.section("sandbox", \.sandbox, "What a sandbox is made of where the job or its pool class does not say.")
        Field.section("network", \.network, "What sandboxes reach besides themselves.")
        Field.section("limits", \.limits, "The most that one job may ask for.")
        Field.section(
            "allocation", \.allocation, "What all sandboxes together may take of the machine: no more is started.")
        Field.section("tenants", \.tenants, "What the running jobs of one tenant may take together.")
        Field.section("pools", \.pools, "The pools of warm sandboxes.")
        Field.section("runner", \.runner, "The conversation with the runner in each sandbox.")
        Field.section("environments", \.environments, "How sets of Python requirements are installed and kept.")
        Field.section("jobs", \.jobs, "The jobs, and how much of everything one may have.")
        Field.section("store", \.store, "The job database. The defaults suit nearly everybody.")
        Field.section("gpus", \.gpus, "The GPUs that jobs may ask for.")
        Field.section("gateway", \.gateway, "The REST gateway: where it listens and what it takes at most.")
        Field.value(
            "secrets", \.secrets, .secrets(max: 1000),
            "Secrets that jobs may ask for by name. Each is read when it is needed, from {env: NAME}, a variable of the "
                + "engine's environment, or {file: PATH}. The secret itself never stands in this file.",
            tune: "Add the tokens that tasks need, instead of passing them as arguments, which are stored.")
        Field.section("log", \.log, "What the engine logs, and how.")
    }

    package func check() -> [ConfigurationConflict] {
        let pairs: [(key: String, isAbove: Bool, limit: String)] = [
            ("sandbox.cpus", sandbox.cpus > limits.cpus ?? .infinity, "limits.cpus"),
            ("sandbox.memory", sandbox.memoryBytes > limits.memoryBytes ?? .max, "limits.memory"),
            ("sandbox.pids", sandbox.pids > limits.pids, "limits.pids"),
            ("sandbox.tmp", sandbox.tmpBytes > limits.tmpBytes, "limits.tmp"),
            ("sandbox.shm", sandbox.shmBytes > limits.shmBytes, "limits.shm"),
            ("sandbox.open_files", sandbox.openFiles > limits.openFiles, "limits.open_files"),
            ("sandbox.cpus", sandbox.cpus > (allocation.cpus ?? .infinity) * allocation.cpuFactor, "allocation.cpus"),
            (
                "sandbox.memory",
                Double(sandbox.memoryBytes) > (allocation.memoryBytes.map(Double.init) ?? .infinity)
                    * allocation.memoryFactor,
                "allocation.memory"
            ),
            ("jobs.default_timeout", jobs.defaultTimeout > limits.timeout, "limits.timeout"),
            ("jobs.inline_max", jobs.inlineMaxBytes > jobs.payloadEncodedMaxBytes, "jobs.payload_encoded_max"),
        ]
        let classes = pools.classes.enumerated().flatMap { index, item in
            [
                ("cpus", item.cpus ?? 0 > limits.cpus ?? .infinity),
                ("memory", item.memoryBytes ?? 0 > limits.memoryBytes ?? .max),
                ("pids", item.pids ?? 0 > limits.pids), ("tmp", item.tmpBytes ?? 0 > limits.tmpBytes),
                ("shm", item.shmBytes ?? 0 > limits.shmBytes),
                ("open_files", item.openFiles ?? 0 > limits.openFiles),
            ].map { (key: "pools.classes[\(index)].\($0.0)", isAbove: $0.1, limit: "limits.\($0.0)") }
        }
        let above: [ConfigurationConflict] = (pairs + classes).filter(\.isAbove).map { pair in
            let limit = value(at: pair.limit.split(separator: ".").map(String.init))?.inline(json: false) ?? ""
            return .init(pair.key, with: pair.limit, message: "must not exceed \(pair.limit) (\(limit))")
        }
        return above + checkUserIDs()
    }

    /// A range of user ids in which not even one sandbox finds room.
    private func checkUserIDs() -> [ConfigurationConflict] {
        var most = (slots: pools.defaults.slots, key: "pools.defaults.slots")
        for (index, item) in pools.classes.enumerated() where item.policy.slots > most.slots {
            most = (item.policy.slots, "pools.classes[\(index)].slots")
        }
        let needed = UserIDAllocator.size(ofSlots: most.slots)
        guard sandbox.userRange.count < needed else { return [] }
        return [
            .init(
                "sandbox.user_range.count", with: most.key,
                message: "must be at least \(needed), the user ids of one sandbox (\(most.key): \(most.slots)), and as "
                    + "many for each further one that lives at the same time")
        ]
    }
}
