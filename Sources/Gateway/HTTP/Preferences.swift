import HTTPTypes
import SlipwayCore

/// How long a caller wants to wait for the end of a job.
enum Preferences {
    /// The wait of `?wait=N` or, without it, of `Prefer: wait=N` (RFC 7240), at most `maximum`; nil when none is asked.
    ///
    /// - Throws: ``Problem`` 400 for a query that is no time. A preference that cannot be understood is ignored, as its
    ///   RFC demands.
    static func wait(query: String?, headers: HTTPFields, maximum: Duration) throws(Problem) -> Duration? {
        if let query {
            guard let duration = Quantity.duration(query) else {
                throw Problem.badRequest("The query parameter 'wait' must be a number of seconds.")
            }
            return min(duration, maximum)
        }
        for preference in headers[values: .prefer].flatMap({ $0.split(separator: ",") }) {
            let parts = preference.split(separator: "=", maxSplits: 1).map(trimmed)
            guard parts.count == 2, parts[0].lowercased() == "wait" else { continue }
            guard let seconds = Int(parts[1].filter { $0 != "\"" }), seconds >= 0 else { continue }
            return min(.seconds(min(seconds, 1_000_000)), maximum)
        }
        return nil
    }

    /// Whether a media type is asked for by name.
    static func accepts(_ mediaType: String, _ headers: HTTPFields) -> Bool {
        headers[values: .accept].contains { value in
            value.split(separator: ",").contains { range in
                range.split(separator: ";").first.map(trimmed)?.lowercased() == mediaType
            }
        }
    }
}
