extension PoolStatus {
    /// How long requests waited for their sandboxes.
    public struct Waits: Sendable, Codable, Equatable {
        /// The upper ends of the intervals in seconds; what waited longer is counted in one interval more.
        public static let bounds = [
            0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
        ]

        /// Requests by interval, each counted in one.
        public private(set) var counts = [Int](repeating: 0, count: Waits.bounds.count + 1)
        /// The seconds of all together.
        public private(set) var sumSeconds = 0.0
        /// The longest wait in seconds.
        public private(set) var longestSeconds = 0.0

        /// How many requests were served.
        public var count: Int { counts.reduce(0, +) }

        /// The wait in seconds that a fraction of the requests did not exceed, to the precision of the intervals; nil
        /// where nobody was served yet.
        public func quantile(_ fraction: Double) -> Double? {
            let all = count
            guard all > 0 else { return nil }
            var left = Swift.max(1, Int((fraction * Double(all)).rounded(.up)))
            for (place, count) in counts.enumerated() {
                left -= count
                guard left <= 0 else { continue }
                return place < Self.bounds.count ? Swift.min(Self.bounds[place], longestSeconds) : longestSeconds
            }
            return longestSeconds
        }

        /// Adds a wait.
        package mutating func add(_ seconds: Double) {
            let place = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
            counts[place] += 1
            sumSeconds += Swift.max(0, seconds)
            longestSeconds = Swift.max(longestSeconds, seconds)
        }

        /// Adds requests that did not wait.
        package mutating func addAtOnce(_ count: Int) { counts[0] += Swift.max(0, count) }

        /// Adds what another class counted.
        package mutating func merge(_ other: Waits) {
            for place in counts.indices { counts[place] += other.counts[place] }
            sumSeconds += other.sumSeconds
            longestSeconds = Swift.max(longestSeconds, other.longestSeconds)
        }
    }
}
