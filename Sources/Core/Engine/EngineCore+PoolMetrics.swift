extension EngineCore {
    /// Adds what is known about the pools to the metrics.
    ///
    /// Classes without a name of their own are taken together by image, so that free values make no series.
    func addPoolMetrics(to text: inout MetricsText) {
        let pools = PoolMetrics(pool.statusForSums(now: poolNow))
        text.family("slipway_sandboxes", "gauge", "Sandboxes by pool and what they do.")
        pools.each { labels, sum in
            for (state, count) in sum.states {
                text.sample("slipway_sandboxes", labels.merging(["state": state]) { $1 }, count)
            }
        }
        text.family("slipway_sandboxes_pinned", "gauge", "Sandboxes that are kept to some processors.")
        text.sample("slipway_sandboxes_pinned", [:], sandboxes.values.count { $0.pin.isPinned })
        text.family("slipway_pool_running", "gauge", "Tasks that have a slot of a sandbox.")
        pools.each { text.sample("slipway_pool_running", $0, $1.running) }
        text.family("slipway_pool_waiting", "gauge", "Jobs that wait for a sandbox of the pool.")
        pools.each { text.sample("slipway_pool_waiting", $0, $1.waiting) }
        text.family("slipway_pool_backoff", "gauge", "Whether starts pause after failures: 1 or 0.")
        pools.each { text.sample("slipway_pool_backoff", $0, $1.isBackingOff ? 1 : 0) }
        text.family("slipway_pool_grants_total", "counter", "Sandboxes given to jobs, by how they came about.")
        pools.each { labels, sum in
            let hits = sum.hits
            for (start, count) in [
                ("warm", hits.warm), ("respecialised", hits.respecialised), ("stem", hits.stem), ("cold", hits.cold),
            ] {
                text.sample("slipway_pool_grants_total", labels.merging(["start": start]) { $1 }, count)
            }
        }
        text.family("slipway_pool_resumed_total", "counter", "Grants of sandboxes that were thawed for them.")
        pools.each { text.sample("slipway_pool_resumed_total", $0, $1.hits.resumed) }
        text.family("slipway_pool_destroyed_total", "counter", "Sandboxes destroyed, by reason.")
        pools.each { labels, sum in
            for (reason, count) in sum.destroyed.sorted(by: { $0.key < $1.key }) {
                text.sample("slipway_pool_destroyed_total", labels.merging(["reason": reason]) { $1 }, count)
            }
        }
        text.family("slipway_pool_wait_seconds", "histogram", "Time from a job's wish for a sandbox to its grant.")
        pools.each { text.histogram("slipway_pool_wait_seconds", $0, $1.waits) }
    }
}

/// The pools, added up by the labels of their series.
private struct PoolMetrics {
    struct Sum {
        var states: [(String, Int)] = []
        var running = 0
        var waiting = 0
        var isBackingOff = false
        var hits = PoolStatus.Hits()
        var destroyed: [String: Int] = [:]
        var waits = PoolStatus.Waits()

        mutating func add(_ pool: PoolStatus) {
            let counts = [
                ("warm", pool.warm), ("busy", pool.busy), ("stem", pool.stem), ("paused", pool.paused),
                ("starting", pool.starting), ("destroying", pool.destroying),
            ]
            states = states.isEmpty ? counts : zip(states, counts).map { ($0.0, $0.1 + $1.1) }
            running += pool.running
            waiting += pool.waiting
            isBackingOff = isBackingOff || pool.backoffSeconds != nil
            hits.merge(pool.hits)
            destroyed.merge(pool.destroyed, uniquingKeysWith: +)
            waits.merge(pool.waits)
        }
    }

    private var order: [[String: String]] = []
    private var sums: [[String: String]: Sum] = [:]

    init(_ pools: [PoolStatus]) {
        for pool in pools {
            let labels = ["image": pool.image, "runtime": pool.runtime, "pool": pool.name ?? ""]
            if sums[labels] == nil { order.append(labels) }
            sums[labels, default: Sum()].add(pool)
        }
    }

    func each(_ body: ([String: String], Sum) -> Void) {
        for labels in order { if let sum = sums[labels] { body(labels, sum) } }
    }
}

extension MetricsText {
    /// The buckets, the sum and the count of one series.
    mutating func histogram(_ name: String, _ labels: [String: String], _ waits: PoolStatus.Waits) {
        var below = 0
        for (bound, count) in zip(PoolStatus.Waits.bounds, waits.counts) {
            below += count
            sample(name + "_bucket", labels.merging(["le": "\(bound)"]) { $1 }, below)
        }
        sample(name + "_bucket", labels.merging(["le": "+Inf"]) { $1 }, waits.count)
        sample(name + "_sum", labels, waits.sumSeconds)
        sample(name + "_count", labels, waits.count)
    }
}
