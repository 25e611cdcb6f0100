import SlipwayCore

/// Writes what is known about the engine as JSON.
enum StatusEncoder {
    /// The answer of `GET /v1/pools`.
    static func bytes(_ pools: [PoolStatus]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("pools")
            writer.array { writer in
                for pool in pools { write(pool, to: &writer) }
            }
        }
        return writer.bytes
    }

    /// The answer of `GET /readyz`.
    static func bytes(_ readiness: Readiness) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("status")
            writer.value(readiness.ready ? "ready" : "not-ready")
            writer.name("container_engine")
            writer.value(readiness.containerEngine)
            writer.name("reasons")
            writer.array { writer in
                for reason in readiness.reasons { writer.value(reason) }
            }
        }
        return writer.bytes
    }

    private static func write(_ pool: PoolStatus, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("name")
            writer.value(pool.name)
            writer.name("tenant")
            writer.value(pool.tenant)
            writer.name("runtime")
            writer.value(pool.runtime)
            writer.name("image")
            writer.value(pool.image)
            writer.name("network")
            writer.value(pool.network)
            writer.name("cpus")
            writer.value(pool.cpus)
            writer.name("memory")
            writer.value(pool.memoryBytes)
            write(
                [
                    ("slots", pool.slots), ("warm", pool.warm), ("stem", pool.stem), ("paused", pool.paused),
                    ("busy", pool.busy), ("running", pool.running), ("starting", pool.starting),
                    ("destroying", pool.destroying), ("waiting", pool.waiting), ("max", pool.max),
                    ("min_idle", pool.minIdle),
                ], to: &writer)
            writer.name("grants")
            writer.object { writer in
                write(
                    [
                        ("warm", pool.hits.warm), ("respecialised", pool.hits.respecialised),
                        ("stem", pool.hits.stem), ("cold", pool.hits.cold), ("resumed", pool.hits.resumed),
                    ], to: &writer)
            }
            writer.name("hit_rate")
            writer.value(seconds: pool.hits.rate)
            writer.name("wait")
            writer.object { writer in
                writer.name("p50")
                writer.value(seconds: pool.waits.quantile(0.5))
                writer.name("p99")
                writer.value(seconds: pool.waits.quantile(0.99))
                writer.name("max")
                writer.value(pool.waits.longestSeconds)
            }
            writer.name("destroyed")
            writer.object { writer in write(pool.destroyed.sorted { $0.key < $1.key }, to: &writer) }
            writer.name("waits_for")
            writer.value(pool.waitsFor)
            writer.name("last_error")
            writer.value(pool.lastError)
            writer.name("retry_in")
            writer.value(seconds: pool.backoffSeconds)
            writer.name("preload_errors")
            writer.array { writer in
                for failure in pool.preloadErrors {
                    writer.object { writer in
                        writer.name("module")
                        writer.value(failure.module)
                        writer.name("message")
                        writer.value(failure.message)
                    }
                }
            }
        }
    }

    private static func write(_ counts: [(String, Int)], to writer: inout JSONWriter) {
        for (name, count) in counts {
            writer.name(escaping: name)
            writer.value(count)
        }
    }

    private static func write(_ counts: [(key: String, value: Int)], to writer: inout JSONWriter) {
        write(counts.map { ($0.key, $0.value) } as [(String, Int)], to: &writer)
    }
}
