import Foundation

/// Times as RFC 3339 writes them: UTC with milliseconds, such as `2025-03-01T12:00:00.250Z`.
package enum RFC3339 {
    /// The text of a moment.
    package static func text(_ date: Date) -> String {
        var bytes: [UInt8] = []
        append(date, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the text of a moment; years outside 0 to 9999 are clamped.
    package static func append(_ date: Date, to bytes: inout [UInt8]) {
        let limit = 253_402_300_799_999.0
        let milliseconds = Int(min(max((date.timeIntervalSince1970 * 1000).rounded(), -62_167_219_200_000), limit))
        let (days, inDay) = floorDivide(milliseconds, 86_400_000)
        let (year, month, day) = civil(days)
        digits(year, 4, &bytes)
        bytes.append(UInt8(ascii: "-"))
        digits(month, 2, &bytes)
        bytes.append(UInt8(ascii: "-"))
        digits(day, 2, &bytes)
        bytes.append(UInt8(ascii: "T"))
        digits(inDay / 3_600_000, 2, &bytes)
        bytes.append(UInt8(ascii: ":"))
        digits(inDay / 60_000 % 60, 2, &bytes)
        bytes.append(UInt8(ascii: ":"))
        digits(inDay / 1000 % 60, 2, &bytes)
        bytes.append(UInt8(ascii: "."))
        digits(inDay % 1000, 3, &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    private static func digits(_ value: Int, _ count: Int, _ bytes: inout [UInt8]) {
        var scale = 1
        for _ in 1..<count { scale *= 10 }
        while scale > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / scale % 10))
            scale /= 10
        }
    }

    private static func floorDivide(_ value: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// The date of a day counted from 1970-01-01 (the era arithmetic of Howard Hinnant's `civil_from_days`).
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
