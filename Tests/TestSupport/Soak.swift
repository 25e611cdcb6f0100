import Foundation

/// The long versions of tests: suites whose names contain `Soak`, which `make soak` runs.
package enum Soak {
    private static let environment = ProcessInfo.processInfo.environment

    /// Whether they run: `SLIPWAY_TEST_SOAK=1`.
    @Sendable package static func isOn() -> Bool { environment["SLIPWAY_TEST_SOAK"] == "1" }

    /// How often something is done; `SLIPWAY_TEST_SCALE` (such as 0.1) makes it less or more.
    package static func count(_ standard: Int) -> Int {
        let scale = environment["SLIPWAY_TEST_SCALE"].flatMap { Double($0) } ?? 1
        return max(1, Int(Double(standard) * scale))
    }

    /// The seed of a test with chance in it; `SLIPWAY_TEST_SEED` replays one.
    package static func seed(_ standard: UInt64) -> UInt64 {
        environment["SLIPWAY_TEST_SEED"].flatMap { UInt64($0) } ?? standard
    }

    /// Prints a figure for `docs/reliability.md`.
    package static func report(_ line: String) {
        // Flushed at once: whoever watches a long run wants to see how far it is.
        FileHandle.standardOutput.write(Data("soak: \(line)\n".utf8))
    }

    /// Runs `body` with its peak memory measured; nil where the kernel does not tell.
    package static func peakGrowthBytes(_ body: () throws -> Void) throws -> Int? {
        let pid = ProcessInfo.processInfo.processIdentifier
        try ProcessList.resetPeak(of: pid)
        let before = ProcessList.peakResidentBytes(of: pid)
        try body()
        guard let before, let after = ProcessList.peakResidentBytes(of: pid) else { return nil }
        return after - before
    }
}

extension Sequence where Element == Double {
    /// The value below which this part (0 to 1) of the values lies; 0 without any.
    package func percentile(_ part: Double) -> Double {
        let sorted = sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[Swift.min(sorted.count - 1, Int(Double(sorted.count) * part))]
    }

    /// Median, 99th percentile and largest value in milliseconds, for a line of figures.
    package var milliseconds: String {
        let parts = [percentile(0.5), percentile(0.99), percentile(1)].map { String(format: "%.1f", $0 * 1000) }
        return "p50 \(parts[0]) ms, p99 \(parts[1]) ms, max \(parts[2]) ms"
    }
}
