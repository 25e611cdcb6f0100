import SlipwayCore

/// The answer of `GET /v1/pools` for people.
struct PoolView {
    /// One line for each pool.
    let table: String
    /// What is wrong with them, a line each.
    let notes: [String]

    init(_ pools: [JSONNode]) {
        let counts = ["warm", "stem", "paused", "busy", "starting", "waiting", "max"]
        var table = Table(
            "POOL", "RUNTIME", "IMAGE", "CPUS", "MEMORY", "WARM", "STEM", "PAUSED", "BUSY", "STARTING", "WAITING",
            "MAX", "HITS",
            "P50", "P99")
        for pool in pools {
            let cpus = pool["cpus"]?.double.map { $0 == $0.rounded() ? "\(Int($0))" : "\($0)" }
            let image = pool["image"]?.string ?? ""
            table.add(
                [
                    Self.name(of: pool), pool["runtime"]?.string ?? "-", image.isEmpty ? "-" : image,
                    cpus ?? "-",
                    pool["memory"]?.integer.map(JobReport.size) ?? "-",
                ] + counts.map { (pool[$0]?.integer).map(String.init) ?? "-" } + [
                    pool["hit_rate"]?.double.map { "\(Int(($0 * 100).rounded()))%" } ?? "-",
                    Self.time(pool["wait"]?["p50"]?.double), Self.time(pool["wait"]?["p99"]?.double),
                ])
        }
        self.table = table.text
        notes = pools.flatMap(Self.notes)
    }

    /// The name of a pool, with its tenant where it serves one alone.
    private static func name(of pool: JSONNode) -> String {
        let name = pool["name"]?.string ?? "-"
        return pool["tenant"]?.string.map { "\(name) (\($0))" } ?? name
    }

    private static func notes(of pool: JSONNode) -> [String] {
        // Local processes have no image.
        let image = pool["image"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        let name = pool["name"]?.string ?? image ?? pool["runtime"]?.string ?? ""
        var lines: [String] = []
        if let need = pool["waits_for"]?.string { lines.append("\(name): waits for \(Table.printable(need))") }
        if let reason = pool["last_error"]?.string {
            let next = pool["retry_in"]?.double.map { ", next try in \(time($0))" } ?? ""
            lines.append("\(name): the last start failed\(next): \(Table.printable(reason))")
        }
        for failure in pool["preload_errors"]?.elements.map({ $0 }) ?? [] {
            let module = Table.printable(failure["module"]?.string ?? "")
            lines.append("\(name): \(module) cannot be preloaded: \(Table.printable(failure["message"]?.string ?? ""))")
        }
        return lines
    }

    private static func time(_ seconds: Double?) -> String {
        guard let seconds else { return "-" }
        return seconds < 1 ? "\(Int((seconds * 1000).rounded(.up)))ms" : "\((seconds * 10).rounded() / 10)s"
    }
}
