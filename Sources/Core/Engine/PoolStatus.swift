/// What is warm: the sandboxes of one pool.
public struct PoolStatus: Sendable, Equatable, Codable {
    /// What the pool's sandboxes have in common, in words.
    public var key: String
    /// Where the sandboxes come from: `docker` or `process`.
    public var runtime: String
    /// The container image.
    public var image: String?
    /// The tenant that the sandboxes belong to; nil for those that have served nobody.
    public var tenant: String?
    /// Idle sandboxes that have served the tenant.
    public var warm: Int
    /// Idle sandboxes that have served nobody.
    public var stem: Int
    /// Sandboxes that run a task.
    public var busy: Int
    /// Sandboxes that are being started.
    public var starting: Int
    /// The most sandboxes that the pool may have.
    public var max: Int
    /// Why the last start failed, until one succeeds.
    public var lastError: String?

    package init(
        key: String, runtime: String, image: String? = nil, tenant: String? = nil, warm: Int = 0, stem: Int = 0,
        busy: Int = 0, starting: Int = 0, max: Int, lastError: String? = nil
    ) {
        self.key = key
        self.runtime = runtime
        self.image = image
        self.tenant = tenant
        self.warm = warm
        self.stem = stem
        self.busy = busy
        self.starting = starting
        self.max = max
        self.lastError = lastError
    }
}
