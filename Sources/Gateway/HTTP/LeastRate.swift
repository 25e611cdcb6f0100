/// The least average rate of a transfer while it holds room that others wait for.
package struct LeastRate: Sendable, Equatable {
    /// What every transfer may take, however little comes.
    package var grace = Duration.seconds(10)
    /// For so many bytes a transfer may take a second more.
    package var bytesPerSecond = 16 << 10

    /// The rate that holds for all.
    package init() {}

    /// How much longer a transfer may go on without another byte: zero or less when it is too slow.
    ///
    /// - Parameters:
    ///   - elapsed: The time since it has its room.
    ///   - bytes: What has been moved since it began.
    package func timeLeft(after elapsed: Duration, bytes: Int) -> Duration {
        grace + .seconds(Double(bytes) / Double(bytesPerSecond)) - elapsed
    }
}
