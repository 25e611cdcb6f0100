extension Configuration {
    /// The pools of warm sandboxes.
    public struct Pools: Sendable, Hashable {
        /// The policy of classes that nobody declared, and of what a declared class leaves out.
        public var defaults = PoolPolicy()
        /// The sandboxes of all pools that may start at the same time.
        public var startingMax = 2
        /// The most kinds of sandboxes beside the declared classes that one tenant's jobs may use at the same time.
        public var undeclaredMax = 64
        /// The declared classes.
        public var classes: [PoolClass] = []

        /// The section with every value at its default.
        public init() {}
    }
}

/// How a pool keeps sandboxes warm.
public struct PoolPolicy: Sendable, Hashable {
    /// The idle sandboxes kept ready.
    public var minIdle = 1
    /// The most sandboxes, idle and busy.
    public var max = 4
    /// How long a sandbox beyond `minIdle` stays idle before it is removed.
    public var idleTTL = Duration.minutes(10)
    /// The tasks after which a sandbox is replaced.
    public var maxUses = 10_000
    /// The age at which an idle sandbox is replaced.
    public var maxAge = Duration.hours(6)
    /// How long a sandbox is idle before the container engine freezes it; nil never does.
    public var pauseAfter: Duration?
    /// What happens to a job when the pool is full.
    public var onExhausted = Exhaustion.queue
    /// The tasks of one tenant that run in one sandbox at the same time.
    public var slots = 1
    /// The wait after the first failed start; it doubles with each failure in a row.
    public var startBackoff = Duration.milliseconds(500)
    /// The longest such wait.
    public var startBackoffMax = Duration.seconds(30)
    /// The longest wait for the runner's first word once its sandbox was started.
    public var startTimeout = Duration.seconds(30)

    /// What happens to a job when every sandbox of its pool is busy and the pool is at its maximum.
    public enum Exhaustion: String, Sendable, CaseIterable {
        /// The job waits.
        case queue
        /// The job gets a sandbox beyond the maximum, which is removed after it.
        case cold
        /// The job ends at once as an error of kind `start_failed`.
        case reject
    }

    /// The policy with every value at its default.
    public init() {}
}

extension Configuration.Pools: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.section(
            "defaults", \.defaults,
            "Policy of pools that no class declares, and of what a class leaves out.")
        Field.value(
            "starting_max", \.startingMax, .integer(1...256),
            "Sandboxes of all pools together that may start at the same time.",
            tune: "Raise it on machines with many cores: each start keeps about one busy for 300 ms.")
        Field.value(
            "undeclared_max", \.undeclaredMax, .integer(1...10_000),
            "Kinds of sandboxes (images, sizes, networks, sets of mounts) beside the declared classes that the jobs of "
                + "one tenant may use at the same time.",
            tune:
                "Lower it where tenants are strangers: each kind needs sandboxes of its own. Declare classes for what "
                + "is used often.")
        Field.list(
            "classes", \.classes, max: 256, new: { PoolClass(policy: $0.defaults) },
            "Classes of sandboxes that are kept warm under policies of their own.",
            tune: "Declare one for each image and size that your jobs ask for often.")
    }

    /// The policy of a class of sandboxes, and its key in the configuration.
    ///
    /// A class that the configuration does not name any more goes by the rules of all others.
    package func policy(of sandboxClass: SandboxClass) -> (policy: PoolPolicy, key: String) {
        let place = sandboxClass.pool.flatMap { name in classes.firstIndex { $0.name == name } }
        guard let place else { return (defaults, "pools.defaults") }
        return (classes[place].policy, "pools.classes[\(place)]")
    }

    package func check() -> [ConfigurationConflict] {
        var names: Set<String> = []
        return classes.enumerated().compactMap { index, item in
            guard !names.insert(item.name).inserted else { return nil }
            return .init(
                "classes[\(index)].name", message: "is the name of an earlier class, too: \(shown(item.name))")
        }
    }
}

extension PoolPolicy: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "min_idle", \.minIdle, .integer(0...1000),
            "Idle sandboxes that are kept ready: always for a declared class and for the default size, for any other "
                + "class until idle_ttl after its last job. The network egress makes a class of its own for each tenant, "
                + "which is one of the others even where it is declared; with GPUs none are kept.",
            tune: "Raise it when bursts of jobs wait for starts (about 350 ms each); 0 keeps nothing warm.")
        Field.value(
            "max", \.max, .integer(1...10_000),
            "Most sandboxes of the pool, idle and busy.",
            tune: "Raise it towards the number of cores for tasks that compute, beyond it for tasks that wait.")
        Field.value(
            "idle_ttl", \.idleTTL, .duration(.seconds(1) ... .days(30)),
            "How long a sandbox beyond min_idle stays idle before it is removed.",
            tune: "Lower it to give memory back sooner, raise it when jobs come in waves.")
        Field.value(
            "max_uses", \.maxUses, .integer(1...1_000_000_000),
            "Tasks after which a sandbox is replaced.",
            tune: "Lower it when preloaded libraries leak memory; 1 gives each task a new sandbox.")
        Field.value(
            "max_age", \.maxAge, .duration(.seconds(10) ... .days(365)),
            "Age at which an idle sandbox is replaced.",
            tune: "Lower it to pick up rebuilt images sooner.")
        Field.value(
            "pause_after", \.pauseAfter, .optional(.duration(.seconds(1) ... .days(30)), null: "never"),
            "How long a sandbox is idle before the container engine freezes it. A frozen one uses no processor and "
                + "is thawed for its next task.",
            tune: "Set it where many warm sandboxes share few processors; the first task after a pause waits about "
                + "20 ms longer.")
        Field.value(
            "on_exhausted", \.onExhausted, .choice,
            "What happens to a job when the pool is full. queue: it waits. cold: it gets a sandbox of its own beyond "
                + "max. reject: its submit is accepted, and it ends at once as an error of kind start_failed.",
            tune: "reject suits callers with a second place to go; cold suits rare, urgent jobs.")
        Field.value(
            "slots", \.slots, .integer(1...32),
            "Tasks of one tenant that run in one sandbox at the same time. They share its processors, memory and "
                + "/tmp.",
            tune: "Raise it for many small tasks that mostly wait: they need fewer sandboxes, and each task pays for "
                + "a sweep by user id.")
        Field.value(
            "start_backoff", \.startBackoff, .duration(.milliseconds(10) ... .minutes(10)),
            "Wait after a failed start. It doubles with each failure in a row.",
            tune: "Raise it when failing starts load the machine.")
        Field.value(
            "start_backoff_max", \.startBackoffMax, .duration(.milliseconds(10) ... .hours(1)),
            "Longest such wait.",
            tune: "Lower it to recover sooner after an outage.")
        Field.value(
            "start_timeout", \.startTimeout, .duration(.seconds(1) ... .hours(1)),
            "Longest wait for the runner's first word once its sandbox was started.",
            tune: "Raise it on slow or heavily loaded machines; lower it where images of others are run, since a start "
                + "that hangs takes one of starting_max places for as long.")
    }

    package func check() -> [ConfigurationConflict] {
        var conflicts: [ConfigurationConflict] = []
        if minIdle > max {
            conflicts.append(.init("min_idle", with: "max", message: "must not exceed max (\(max)), but is \(minIdle)"))
        }
        if startBackoff > startBackoffMax {
            let message = "must not exceed start_backoff_max (\(Quantity.text(startBackoffMax)))"
            conflicts.append(.init("start_backoff", with: "start_backoff_max", message: message))
        }
        return conflicts
    }
}
