/// Measured durations of one kind of call, in milliseconds.
struct Sample {
    let name: String
    private(set) var milliseconds: [Double] = []

    init(_ name: String) { self.name = name }

    mutating func add(_ duration: Duration) {
        milliseconds.append(
            Double(duration.components.seconds) * 1000 + Double(duration.components.attoseconds) * 1e-15)
    }

    /// The value below which the fraction of all durations lies.
    func quantile(_ fraction: Double) -> Double {
        guard !milliseconds.isEmpty else { return .nan }
        let sorted = milliseconds.sorted()
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * fraction))]
    }

    var minimum: Double { milliseconds.min() ?? .nan }
    var median: Double { quantile(0.5) }
}
