import NIOCore

extension EngineCore {
    /// Waits for the end of a job; gives nil when the time is over, or when whoever asked has gone.
    func end(of job: ActiveJob, upTo limit: Duration, for caller: Caller) async throws -> JobOutcome? {
        waits += 1
        defer { waits -= 1 }
        return try await job.ended.wait(upTo: isDrained ? .zero : limit, on: loop, departure: caller.departure)
    }

    /// Measures who waits and who follows: figures that stay up when clients have gone show a leak.
    func addWaits(to text: inout MetricsText) {
        text.gauge("slipway_waits", "Callers that wait for the end of a job.", waits)
        text.family("slipway_followers", "gauge", "Readers of events, by whose events they are.")
        let ofJobs = jobs.values.reduce(0) { $0 + $1.followers.count }
        let ofTenants = feeds.values.reduce(0) { $0 + $1.followerCount }
        text.sample("slipway_followers", ["of": "job"], ofJobs)
        text.sample("slipway_followers", ["of": "tenant"], ofTenants)
    }
}
