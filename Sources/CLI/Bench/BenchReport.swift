import Foundation
import SlipwayCore

/// What a run of the benchmark found.
struct BenchReport {
    /// One line of latencies.
    struct Row {
        var sample: Sample
        /// The line that it is compared with.
        var floor: Sample?
    }

    var paced: [Row] = []
    var backToBack: [Row] = []
    /// Jobs a second by name.
    var throughput: [(name: String, jobsPerSecond: Double)] = []
    var batchMilliseconds: Double?
    var coldMilliseconds: Sample?
    var rawColdMilliseconds: Sample?

    /// The report for people.
    var text: String {
        var text = table("one call every 3 ms", paced) + table("back to back", backToBack)
        for entry in throughput {
            text += "\(Self.padded(entry.name, 44)) \(String(format: "%8.0f", entry.jobsPerSecond)) jobs/s\n"
        }
        if let batchMilliseconds {
            text +=
                "\(Self.padded("batch of 1,000 accepted over REST", 44)) "
                + String(format: "%8.1f ms\n", batchMilliseconds)
        }
        if let cold = coldMilliseconds, let raw = rawColdMilliseconds {
            text += "\(Self.padded("cold start to result", 44)) " + String(format: "%8.0f ms", cold.median)
            text += String(
                format: "   %.2f x raw create + start + first byte (%.0f ms)\n", cold.median / raw.median, raw.median)
        }
        return text
    }

    private func table(_ title: String, _ rows: [Row]) -> String {
        guard !rows.isEmpty else { return "" }
        var text = Self.padded(title + ", ms", 44) + "      min      p50      p99   x floor p50\n"
        for row in rows {
            text += Self.padded("  " + row.sample.name, 44)
            text += String(
                format: " %8.2f %8.2f %8.2f", row.sample.minimum, row.sample.median, row.sample.quantile(0.99))
            if let floor = row.floor { text += String(format: "   %8.2f", row.sample.median / floor.median) }
            text += "\n"
        }
        return text + "\n"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
    }

    /// The report for machines.
    var json: JSONValue {
        func rows(_ rows: [Row]) -> JSONValue {
            .array(
                rows.map { row in
                    .object([
                        "name": .string(row.sample.name), "min_ms": .number(row.sample.minimum),
                        "p50_ms": .number(row.sample.median), "p99_ms": .number(row.sample.quantile(0.99)),
                        "floor_ratio": row.floor.map { .number(row.sample.median / $0.median) } ?? .null,
                    ])
                })
        }
        return .object([
            "paced": rows(paced), "back_to_back": rows(backToBack),
            "throughput": .object(
                Dictionary(throughput.map { ($0.name, .number($0.jobsPerSecond)) }, uniquingKeysWith: { $1 })),
            "batch_ms": batchMilliseconds.map { .number($0) } ?? .null,
            "cold_ms": coldMilliseconds.map { .number($0.median) } ?? .null,
            "raw_cold_ms": rawColdMilliseconds.map { .number($0.median) } ?? .null,
        ])
    }
}
