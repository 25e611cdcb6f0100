extension Duration {
    /// A number of seconds as a duration; nil when it is negative or beyond a century.
    init?(exactlySeconds seconds: Double) {
        guard seconds >= 0, seconds <= 3_155_760_000 else { return nil }
        self = .nanoseconds(Int64((seconds * 1e9).rounded()))
    }
}
