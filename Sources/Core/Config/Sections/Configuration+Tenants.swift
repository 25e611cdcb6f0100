extension Configuration {
    /// What the running jobs of one tenant may take together.
    public struct Tenants: Sendable, Hashable {
        /// The limits of tenants that are not named, and of what a named one leaves out.
        public var defaults = TenantLimits()
        /// Tenants with limits of their own.
        public var named: [NamedTenantLimits] = []

        /// The section with every value at its default.
        public init() {}

        /// The limits of a tenant.
        package func limits(of tenant: TenantID) -> TenantLimits {
            named.first { $0.name == tenant.description }?.limits ?? defaults
        }
    }
}

/// What the running jobs of one tenant may take together; nil sets no limit.
public struct TenantLimits: Sendable, Hashable {
    /// The processors.
    public var cpus: Double?
    /// The memory in bytes.
    public var memoryBytes: Int?
    /// The graphics processors, whole or shared.
    public var gpus: Int?
    /// The jobs.
    public var running: Int?

    /// No limits.
    public init() {}

    /// Whether nothing is limited.
    package var isNone: Bool { self == TenantLimits() }
}

/// A tenant with limits of its own.
public struct NamedTenantLimits: Sendable, Hashable {
    /// The tenant.
    public var name = ""
    /// Its limits.
    public var limits: TenantLimits

    /// A tenant that differs in nothing yet from the limits of all.
    public init(name: String = "", limits: TenantLimits) {
        self.name = name
        self.limits = limits
    }
}

extension Configuration.Tenants: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.section(
            "defaults", \.defaults, "Limits of each tenant that is not named, and of what a named one leaves out.")
        Field.list(
            "named", \.named, max: 10_000, new: { NamedTenantLimits(limits: $0.defaults) },
            "Tenants with limits of their own.",
            tune: "Name a tenant that needs more than the others, or is to get less.")
    }

    package func check() -> [ConfigurationConflict] {
        var names: Set<String> = []
        return named.enumerated().compactMap { index, item in
            guard !names.insert(item.name).inserted else { return nil }
            return .init("named[\(index)].name", message: "is named before, too: \(shown(item.name))")
        }
    }
}

extension TenantLimits: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "cpus", \.cpus, .optional(.number(0.01...65_536), null: "no limit"),
            "Processors that the tenant's running jobs may have together; one job that asks for more is refused.",
            tune: "Set it so that one tenant's burst leaves room for the others.")
        Field.value(
            "memory", \.memoryBytes, .optional(.size(.mebibytes(16) ... .tebibytes(1024)), null: "no limit"),
            "Memory that the tenant's running jobs may have together.", tune: "As cpus.")
        Field.value(
            "gpus", \.gpus, .optional(.integer(0...4096), null: "no limit"),
            "GPUs that the tenant's running jobs may have together; a shared one counts for each job.",
            tune: "0 keeps a tenant off the devices.")
        Field.value(
            "running", \.running, .optional(.integer(1...1_000_000), null: "no limit"),
            "Jobs of the tenant that may run at a time; further ones wait.",
            tune: "Set it where jobs load something beside this machine, such as a database.")
    }
}

extension NamedTenantLimits: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "name", \.name, .word("a tenant's name of letters, digits, - and _", extra: "-_", max: 64),
            "Name of the tenant.", tune: "As `slipway tenants` shows it.", required: true)
        TenantLimits.fields.map { $0.lifted(\.limits) }
    }
}
