/// Which events of a tenant's jobs a follower gets.
public struct TenantEventQuery: Sendable {
    /// Labels that a job must all have; every job when empty.
    public var labels: [String: String] = [:]
    /// Types of events, such as `job_update`; all when empty.
    public var types: Set<String> = []
    /// Whether an event that ends a job carries the job and its result.
    public var includesResults = false
    /// The `streamID` of the last event that was seen; nil for those to come only.
    public var after: String?

    /// Makes a query for all events to come.
    public init() {}
}

/// An event among those of all jobs of a tenant.
public struct TenantEvent: Sendable {
    /// Its place in the tenant's stream, to go on after it; of no use to another run of the engine.
    public let streamID: String
    /// The event; nil where some were missed, because they are no longer kept or the engine was restarted.
    public let event: JobEvent?
    /// The job and its result, for an event that ends a job, where they were asked for.
    ///
    /// A result above 64 KiB is left out: it can be asked for by itself.
    public let outcome: JobOutcome?

    package init(streamID: String, event: JobEvent?, outcome: JobOutcome?) {
        self.streamID = streamID
        self.event = event
        self.outcome = outcome
    }
}
