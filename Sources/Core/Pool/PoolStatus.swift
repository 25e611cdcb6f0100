/// A snapshot of the sandboxes of one class.
public struct PoolStatus: Sendable, Codable, Equatable {
    /// How requests came to their sandboxes since the pool was made.
    public struct Hits: Sendable, Codable, Equatable {
        /// By a sandbox that was ready for this tenant and environment.
        public var warm = 0
        /// By a sandbox of the same tenant that changed its environment.
        public var respecialised = 0
        /// By a stem cell that existed before the request.
        public var stem = 0
        /// By a sandbox that was started after the request had come.
        public var cold = 0
        /// How many of all these were thawed for it.
        public var resumed = 0

        /// The part of all requests that found a sandbox of their own kind ready; nil before the first.
        public var rate: Double? {
            let all = warm + respecialised + stem + cold
            return all > 0 ? Double(warm) / Double(all) : nil
        }

        /// Adds what another class counted.
        package mutating func merge(_ other: Hits) {
            warm += other.warm
            respecialised += other.respecialised
            stem += other.stem
            cold += other.cold
            resumed += other.resumed
        }
    }

    /// A module of the class that its last stem cell could not import ahead.
    public struct PreloadError: Sendable, Codable, Equatable {
        /// The module as the configuration names it.
        public var module: String
        /// What Python said.
        public var message: String

        /// Makes a note of a failed import.
        public init(module: String, message: String) {
            self.module = module
            self.message = message
        }
    }

    /// The name of a declared class; nil for a class that nobody declared.
    public var name: String?
    /// The tenant that the class serves alone; nil for a class that serves everybody.
    public var tenant: String?
    /// The runtime, `docker` or `process`.
    public var runtime: String
    /// The image as it was named.
    public var image: String
    /// The network mode.
    public var network: String
    /// Processor cores of one sandbox.
    public var cpus: Double
    /// Memory of one sandbox in bytes.
    public var memoryBytes: Int
    /// Tasks that one sandbox runs at the same time.
    public var slots: Int
    /// Sandboxes that are ready for a tenant; of one tenant only when the snapshot is for that tenant.
    public var warm = 0
    /// Sandboxes that are leased or being prepared for a request; of one tenant only as above.
    public var busy = 0
    /// Tasks that have a slot of a sandbox; of one tenant only as above.
    public var running = 0
    /// Stem cells: started, never used.
    public var stem = 0
    /// Free sandboxes that are frozen, or being frozen or thawed: nobody's, and of one tenant only as above.
    public var paused = 0
    /// Sandboxes that are starting; of one tenant no more than its requests that wait.
    public var starting: Int
    /// Sandboxes that are being removed; of one tenant only as above.
    public var destroying: Int
    /// Requests that wait; of one tenant only as above.
    public var waiting: Int
    /// The most sandboxes of the class.
    public var max: Int
    /// Stem cells that are kept.
    public var minIdle: Int
    /// How requests came to their sandboxes; of one tenant only as above.
    public var hits = Hits()
    /// How long requests waited; of one tenant only as above.
    public var waits = Waits()
    /// How many sandboxes were destroyed, by reason; of one tenant only as above.
    public var destroyed: [String: Int] = [:]
    /// Why the last start failed, until one succeeds.
    public var lastError: String?
    /// Seconds until the next try to start after failures.
    public var backoffSeconds: Double?
    /// Modules of the class that its last stem cell could not import; such a module may yet come with an environment.
    public var preloadErrors: [PreloadError] = []
    /// What the machine lacks at present for the requests that wait; nil when it lacks nothing.
    public var waitsFor: String?
}
