/// Which jobs to list.
public struct JobQuery: Sendable, Equatable {
    /// Only jobs in one of these states; empty for all.
    public var states: Set<JobState>
    /// Only jobs that have all of these labels.
    public var labels: [String: String]
    /// Only jobs of this name.
    public var name: String?
    /// How many jobs a page has at most, 1 to 500.
    public var limit: Int
    /// Where the page starts: the `nextCursor` of the page before.
    public var cursor: String?

    /// Makes a query; without arguments it asks for the newest 50 jobs.
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

/// A page of a list of jobs, newest first.
public struct JobPage: Sendable {
    /// The jobs.
    public let jobs: [Job]
    /// The cursor of the next page; nil on the last one.
    public let nextCursor: String?

    package init(jobs: [Job], nextCursor: String? = nil) {
        self.jobs = jobs
        self.nextCursor = nextCursor
    }
}
