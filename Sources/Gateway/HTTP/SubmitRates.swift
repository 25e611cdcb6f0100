import HTTPTypes
import SlipwayCore
import Synchronization

/// How many jobs each tenant may submit at this moment.
///
/// Every tenant but `default` has a bucket of a minute's jobs that fills evenly. A batch that is larger than a bucket
/// passes when that is full, and what it took too much has to fill up again before anything else passes.
final class SubmitRates: Sendable {
    private struct Bucket {
        var tokens: Double
        var filledAt: ContinuousClock.Instant
    }

    /// Full buckets are forgotten from so many tenants on.
    private static let bucketsMax = 10_000

    /// Jobs a minute; nil for no limit.
    private let perMinute: Int?
    private let buckets = Mutex<[TenantID: Bucket]>([:])

    init(perMinute: Int?) { self.perMinute = perMinute }

    /// Takes jobs out of a tenant's bucket.
    ///
    /// - Returns: The headers that say what is left; none for tenants without a limit.
    /// - Throws: ``Problem`` 429 when there are not so many left.
    func take(_ jobs: Int, of tenant: TenantID, now: ContinuousClock.Instant = .now) throws(Problem) -> HTTPFields {
        guard let perMinute, tenant != .default else { return HTTPFields() }
        let capacity = Double(perMinute)
        let perSecond = capacity / 60
        let (isTaken, tokens) = buckets.withLock { buckets -> (Bool, Double) in
            var bucket = buckets[tenant] ?? Bucket(tokens: capacity, filledAt: now)
            let filled = bucket.tokens + (now - bucket.filledAt).seconds * perSecond
            bucket = Bucket(tokens: min(capacity, filled), filledAt: now)
            let isTaken = bucket.tokens >= min(Double(jobs), capacity)
            if isTaken { bucket.tokens -= Double(jobs) }
            if buckets.count >= Self.bucketsMax { buckets = buckets.filter { $0.value.tokens < capacity } }
            buckets[tenant] = bucket
            return (isTaken, bucket.tokens)
        }
        let left = max(0, Int(tokens))
        let wait = (min(Double(jobs), capacity) - tokens) / perSecond
        var headers = HTTPFields()
        headers[.rateLimitPolicy] = "\"submits\";q=\(perMinute);w=60"
        let full = (capacity - tokens) / perSecond
        headers[.rateLimit] = "\"submits\";r=\(left);t=\(Int((isTaken ? full : wait).rounded(.up)))"
        guard !isTaken else { return headers }
        var problem = Problem(
            .tooManyRequests, EngineError.Code.rateExceeded.rawValue,
            "The tenant may submit \(perMinute) jobs a minute (gateway.submit_rate); \(left) are left for now.")
        problem.headers = headers
        problem.headers[.retryAfter] = "\(max(1, Int(wait.rounded(.up))))"
        throw problem
    }
}
