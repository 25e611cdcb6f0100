/// How fast stem cells are taken and how long a start takes: from both follows how many more to keep.
struct PoolPace: Sendable, Equatable {
    /// Seconds over which the past is forgotten by half.
    private static let halfLife = 3.0
    /// Starts that are kept in stock, as a multiple of what is taken while one start lasts.
    private static let margin = 2.0

    /// Stem cells taken lately; the earlier ones count less.
    private var taken = 0.0
    private var takenAt = -Double.infinity
    /// Seconds from the order of a start to its end, the last ones weighing most.
    private(set) var startSeconds = 0.5

    /// Notes that a stem cell was taken, or was missed by a request.
    mutating func took(now: Double) {
        taken = recent(now) + 1
        takenAt = now
    }

    /// Notes how long a start took.
    mutating func started(after seconds: Double) {
        startSeconds += (min(max(seconds, 0), 60) - startSeconds) / 4
    }

    /// Stem cells to keep beyond those of the policy.
    func extra(_ now: Double) -> Int {
        let perSecond = recent(now) / (2 * Self.halfLife)
        return Int(perSecond * startSeconds * Self.margin + 0.5)
    }

    private func recent(_ now: Double) -> Double {
        guard taken > 0 else { return 0 }
        return taken / (1 + max(0, now - takenAt) / Self.halfLife)
    }
}
