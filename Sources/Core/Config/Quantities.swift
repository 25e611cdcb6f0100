extension Duration {
    /// A duration of whole minutes.
    package static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }

    /// A duration of whole hours.
    package static func hours(_ count: Int) -> Duration { .seconds(count * 3600) }

    /// A duration of whole days of 24 hours.
    package static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}

extension Int {
    /// A size in bytes, given in units of 1,024 bytes.
    package static func kibibytes(_ count: Int) -> Int { count << 10 }

    /// A size in bytes, given in units of 1,048,576 bytes.
    package static func mebibytes(_ count: Int) -> Int { count << 20 }

    /// A size in bytes, given in units of 1,073,741,824 bytes.
    package static func gibibytes(_ count: Int) -> Int { count << 30 }

    /// A size in bytes, given in units of 1,024 gibibytes.
    package static func tebibytes(_ count: Int) -> Int { count << 40 }
}

/// The written forms of durations and sizes in configuration files and environment variables.
package enum Quantity {
    /// The duration that a text such as `30s`, `1h30m`, `500ms` or `2.5` (seconds) states; nil when it states none.
    package static func duration(_ text: String) -> Duration? {
        guard let parts = parts(of: text) else { return nil }
        if parts.count == 1, parts[0].unit.isEmpty { return duration(seconds: parts[0].number) }
        var seconds = 0.0
        var previous = Double.infinity
        for part in parts {
            // Units run from large to small, each once, so that a typing error such as `5m1h` is not summed up.
            guard let scale = durationScale[part.unit], scale < previous else { return nil }
            previous = scale
            seconds += part.number * scale
        }
        return duration(seconds: seconds)
    }

    /// The bytes that a text such as `512m`, `2g`, `1GiB` or `4096` states; nil when it states none.
    package static func bytes(_ text: String) -> Int? {
        guard let parts = parts(of: text), parts.count == 1 else { return nil }
        guard let shift = sizeShift(parts[0].unit.lowercased()) else { return nil }
        let bytes = parts[0].number * Double(1 << shift)
        guard bytes.rounded() == bytes, bytes <= Double(1 << 60) else { return nil }
        return Int(bytes)
    }

    /// The shortest usual form of a duration, which `duration(_:)` reads back unchanged.
    package static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if attoseconds != 0 {
            let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
            if nanoseconds % 1_000_000 == 0 { return "\(nanoseconds / 1_000_000)ms" }
            if nanoseconds % 1_000 == 0 { return "\(nanoseconds / 1_000)us" }
            return "\(nanoseconds)ns"
        }
        if seconds >= 2 * 86_400, seconds % 86_400 == 0 { return "\(seconds / 86_400)d" }
        if seconds >= 3600, seconds % 3600 == 0 { return "\(seconds / 3600)h" }
        if seconds >= 120, seconds % 60 == 0 { return "\(seconds / 60)m" }
        return "\(seconds)s"
    }

    /// The shortest form of a size, which `bytes(_:)` reads back unchanged.
    package static func text(bytes: Int) -> String {
        for (unit, shift) in [("t", 40), ("g", 30), ("m", 20), ("k", 10)] where bytes >= 1 << shift {
            if bytes % (1 << shift) == 0 { return "\(bytes >> shift)\(unit)" }
        }
        return "\(bytes)"
    }

    private static let durationScale: [String: Double] = [
        "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9,
    ]

    private static func duration(seconds: Double) -> Duration? {
        // A century is far above every limit and far below what overflows in nanoseconds.
        guard seconds <= 3_155_760_000 else { return nil }
        return .nanoseconds(Int64((seconds * 1e9).rounded()))
    }

    private static func sizeShift(_ unit: String) -> Int? {
        switch unit {
        case "", "b": 0
        case "k", "kb", "kib": 10
        case "m", "mb", "mib": 20
        case "g", "gb", "gib": 30
        case "t", "tb", "tib": 40
        default: nil
        }
    }

    /// Splits `1h30m` into numbers with their units; nil for anything but digits with a fraction, and letters.
    private static func parts(of text: String) -> [(number: Double, unit: String)]? {
        guard text.utf8.count <= 64 else { return nil }
        var result: [(number: Double, unit: String)] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            guard let first = digits.first, first != ".", digits.last != ".", let number = Double(digits) else {
                return nil
            }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !(("0"..."9").contains($0) || $0 == ".") }
            rest = rest.dropFirst(unit.count)
            result.append((number, String(unit)))
        }
        return result.isEmpty ? nil : result
    }
}
