/// The written forms of durations and sizes in requests.
enum Quantity {
    private static let seconds: [String: Double] = [
        "": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400,
    ]
    private static let shifts: [String: Int] = [
        "": 0, "b": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30, "gb": 30, "gib": 30,
        "t": 40, "tb": 40, "tib": 40,
    ]

    /// The duration that a text such as `30s`, `5m`, `500ms` or `2.5` (seconds) states.
    static func duration(_ text: String) -> Duration? {
        guard let (number, unit) = split(text), let scale = seconds[unit] else { return nil }
        return duration(seconds: number * scale)
    }

    /// A number of seconds as a duration; nil when it is negative or beyond a century.
    static func duration(seconds: Double) -> Duration? {
        guard seconds >= 0, seconds <= 3_155_760_000 else { return nil }
        return .nanoseconds(Int64((seconds * 1e9).rounded()))
    }

    /// The bytes that a text such as `512m`, `2g`, `1GiB` or `4096` states; units are powers of 1024.
    static func bytes(_ text: String) -> Int? {
        guard let (number, unit) = split(text), let shift = shifts[unit.lowercased()] else { return nil }
        let bytes = number * Double(1 << shift)
        guard bytes.rounded() == bytes, bytes <= Double(1 << 60) else { return nil }
        return Int(bytes)
    }

    private static func split(_ text: String) -> (number: Double, unit: String)? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let first = digits.first, first != ".", digits.last != ".", digits.count <= 20,
            let number = Double(digits)
        else { return nil }
        return (number, String(text[digits.endIndex...]))
    }
}
