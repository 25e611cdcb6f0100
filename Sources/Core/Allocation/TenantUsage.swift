/// What a tenant may use, and what it uses at a moment.
public struct TenantUsage: Sendable, Equatable {
    /// The tenant.
    public var tenant: TenantID
    /// What its running jobs may take together; nil where nothing limits it.
    public var limits: TenantLimits
    /// The most unfinished jobs.
    public var unfinishedMax: Int
    /// Jobs that have a sandbox or run in a handler.
    public var running = 0
    /// Jobs that wait, for whatever.
    public var waiting = 0
    /// Processors of the sandboxes that its jobs hold.
    public var cpus = 0.0
    /// Memory of the sandboxes that its jobs hold, in bytes.
    public var memoryBytes = 0
    /// Devices of the sandboxes that its jobs hold.
    public var gpus = 0
    /// Sandboxes that are its own and idle.
    public var idleSandboxes = 0
    /// Memory of those, in bytes; it is given up when anybody needs it.
    public var idleMemoryBytes = 0

    /// A tenant that uses nothing.
    package init(tenant: TenantID, limits: TenantLimits, unfinishedMax: Int) {
        self.tenant = tenant
        self.limits = limits
        self.unfinishedMax = unfinishedMax
    }
}
