/// Which jobs to list.
public struct JobQuery: Sendable {
    /// States to list; empty lists all.
    public var states: Set<JobState>
    /// Labels that a job must have, all of them.
    public var labels: [String: String]
    /// The name that a job must have.
    public var name: String?
    /// How many jobs one page holds at most; 1 to 500.
    public var limit: Int
    /// Where the page begins: `JobPage.nextCursor` of the page before; nil for the newest.
    public var cursor: String?

    /// Makes a query; without arguments it lists the newest 50 jobs.
    public init(
        states: Set<JobState> = [], labels: [String: String] = [:], name: String? = nil, limit: Int = 50,
        cursor: String? = nil
    ) {
        self.states = states
        self.labels = labels
        self.name = name
        self.limit = limit
        self.cursor = cursor
    }
}

/// One page of a list of jobs, newest first.
public struct JobPage: Sendable {
    /// The jobs.
    public var jobs: [Job]
    /// Where the next page begins; nil when this is the last one.
    public var nextCursor: String?

    /// Makes a page.
    package init(jobs: [Job], nextCursor: String?) {
        self.jobs = jobs
        self.nextCursor = nextCursor
    }
}
