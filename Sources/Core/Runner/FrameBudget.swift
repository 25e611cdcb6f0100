import NIOCore

/// How much one sandbox may occupy the engine's loop.
///
/// What speaks in a sandbox is the Python of its image, and an image may be anybody's. Each frame costs the loop some
/// microseconds, and its bytes a little more; whoever sends beyond the budget is read later, as a slow reader would do
/// it, while others are served. Bursts of ordinary tasks (ten thousands of lines, results of many megabytes) fit in it.
package struct FrameBudget {
    /// What is given back each second; a frame costs 1, and 1 more for each `bytesPerUnit`.
    package static let unitsPerSecond = 20_000.0
    /// The most that is saved up.
    package static let unitsMax = 40_000.0
    package static let bytesPerUnit = 65_536.0
    /// Frames of one sandbox after which the loop looks at others.
    package static let framesPerTurn = 128
    /// The shortest rest: less would not be worth its timer.
    private static let restMinimumSeconds = 0.02

    private var left = unitsMax
    private var refilled: NIODeadline

    package init(now: NIODeadline = .now()) { refilled = now }

    /// Takes the price of one frame; returns how long to wait before the next one, nil when there is no need.
    ///
    /// - Parameter now: Asked for only when what was saved is used up.
    package mutating func spend(bytes: Int, now: @autoclosure () -> NIODeadline = .now()) -> TimeAmount? {
        left -= 1 + Double(bytes) / Self.bytesPerUnit
        guard left < 0 else { return nil }
        let time = now()
        let seconds = Double((time - refilled).nanoseconds) / 1e9
        refilled = time
        left = min(Self.unitsMax, left + seconds * Self.unitsPerSecond)
        guard left < 0 else { return nil }
        return .nanoseconds(Int64(max(Self.restMinimumSeconds, -left / Self.unitsPerSecond) * 1e9))
    }
}
