/// Tells the watch, which has a round a second, what is due beside the looks at jobs and sandboxes.
///
/// A pure value. A sweep asks container engines and lasts as long as they take to answer: rounds go on meanwhile, and
/// no other sweep begins.
package struct WatchRounds: Sendable {
    /// What is due in a round.
    package struct Duties: Sendable, Equatable {
        /// Leftover sandboxes are to be looked for.
        package var sweeps = false
        /// The runtimes are to be looked after, and asked whether they are there.
        package var asksRuntimes = false

        /// Nothing, or what is named.
        package init(sweeps: Bool = false, asksRuntimes: Bool = false) {
            self.sweeps = sweeps
            self.asksRuntimes = asksRuntimes
        }
    }

    /// Rounds from one look for leftovers to the next.
    package static let sweepEvery = 60
    /// Rounds from one question to the runtimes to the next.
    package static let askEvery = 5

    private var rounds = 0
    private var isSweepDue = false
    private var isSweeping = false

    /// Makes one before its first round.
    package init() {}

    /// Begins a round.
    ///
    /// A sweep that comes due while another is under way is made up for in the first round after that.
    package mutating func next() -> Duties {
        rounds += 1
        if rounds % Self.sweepEvery == 0 { isSweepDue = true }
        let sweeps = isSweepDue && !isSweeping
        if sweeps { (isSweepDue, isSweeping) = (false, true) }
        return Duties(sweeps: sweeps, asksRuntimes: rounds % Self.askEvery == 0)
    }

    /// Notes that the sweep that a round asked for has ended.
    package mutating func sweepEnded() { isSweeping = false }
}
